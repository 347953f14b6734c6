# SPDX-License-Identifier: Apache-2.0
"""A finished bag, read without ROS: messages decoded by the definitions that it carries."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from mcap.reader import SeekingReader
from mcap_ros2.decoder import DecoderFactory

from vla_recorder.bag.bag import METADATA_FILE
from vla_recorder.bag.metadata import read_metadata
from vla_recorder.errors import RecordingError


class Message(NamedTuple):
    """A decoded message: its fields are attributes of `content`, by the names of the definition."""

    topic: str
    log_ns: int  # [ns] when it was received
    content: Any


@dataclass(frozen=True, slots=True)
class Bag:
    """A bag's folder and what metadata.yaml says."""

    folder: Path
    files: tuple[Path, ...]
    types: Mapping[str, str]  # of each topic
    counts: Mapping[str, int]  # messages of each topic
    custom: Mapping[str, str]
    start_ns: int
    duration_ns: int

    def topics_of(self, type_name: str) -> list[str]:
        """Return the topics of a type."""
        return [name for name, kind in self.types.items() if kind == type_name]

    def messages(self, topics: Collection[str]) -> Iterator[Message]:
        """Yield the messages of `topics` in the order of their reception.

        Raises:
            RecordingError: a file is missing, cut or damaged.
        """
        for path in self.files:
            try:
                with path.open("rb") as file:
                    size = path.stat().st_size  # no record is longer, whatever it claims
                    reader = SeekingReader(file, decoder_factories=[DecoderFactory()], record_size_limit=size)
                    for _, channel, message, content in reader.iter_decoded_messages(topics=list(topics)):
                        yield Message(channel.topic, message.log_time, content)
            except (
                Exception
            ) as error:  # of the file, the format, the decompressor, or memory that a damaged size asks for
                raise RecordingError(
                    f"{path} is missing or damaged ({type(error).__name__}: {error}); `vla record recover` keeps what "
                    "can be read"
                ) from error


def open_bag(path: Path) -> Bag:
    """Open a bag by its folder, its metadata.yaml or its MCAP file. Raises RecordingError when it is not one."""
    folder = path if path.is_dir() else path.parent
    if not path.exists():
        raise RecordingError(f"no bag at {path}; valid: a folder with {METADATA_FILE} and an .mcap file")
    content = read_metadata(folder)
    if content.get("storage_identifier") != "mcap":
        raise RecordingError(
            f"{folder} is stored as {content.get('storage_identifier')!r}; valid: mcap (`ros2 bag convert` makes one)"
        )
    rows = content.get("topics_with_message_count") or []
    try:
        return Bag(
            folder,
            tuple(folder / name for name in content["relative_file_paths"]),
            {row["topic_metadata"]["name"]: row["topic_metadata"]["type"] for row in rows},
            {row["topic_metadata"]["name"]: row["message_count"] for row in rows},
            {str(key): str(value) for key, value in (content.get("custom_data") or {}).items()},
            int(content["starting_time"]["nanoseconds_since_epoch"]),
            int(content["duration"]["nanoseconds"]),
        )
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise RecordingError(f"{folder / METADATA_FILE} is damaged: {error!r}") from error


def find_bags(path: Path) -> list[Path]:
    """Return the bags in a folder in the order of their names, or the bag that `path` itself is."""
    if not path.is_dir() or (path / METADATA_FILE).is_file() or any(path.glob("*.mcap")):
        return [path]
    found = sorted(
        {file.parent for file in path.glob("*/*.mcap")} | {file.parent for file in path.glob(f"*/{METADATA_FILE}")}
    )
    if not found:
        raise RecordingError(f"no bag in {path}; valid: a bag's folder, or a folder of such folders")
    return found
