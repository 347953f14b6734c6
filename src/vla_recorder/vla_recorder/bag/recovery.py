# SPDX-License-Identifier: Apache-2.0
"""What a killed recorder left: a file without its end, made into a bag again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from mcap.records import Channel, Message, Metadata, Schema
from mcap.stream_reader import StreamReader

from vla_recorder.bag.bag import CUSTOM_RECORD, METADATA_FILE, Recorded, Topic
from vla_recorder.bag.metadata import Totals
from vla_recorder.bag.writer import BagWriter
from vla_recorder.errors import RecordingError


def recover(folder: Path, distro: str = "") -> Totals:
    """Make a bag of a folder whose recorder was killed: the file is read to its last whole message and rewritten.

    The cut file stays beside it as NAME_0.mcap.cut. Returns what was kept.

    Raises:
        RecordingError: the folder has its metadata.yaml, or not exactly one .mcap file, or nothing of it can be read.
        OSError: the new file cannot be written.
    """
    files = sorted(folder.glob("*.mcap"))
    if (folder / METADATA_FILE).exists():
        raise RecordingError(f"{folder} has its {METADATA_FILE}: there is nothing to recover")
    if len(files) != 1:
        raise RecordingError(f"{folder} has {len(files)} .mcap files; valid: the folder of one recording")
    temporary = folder / f".{folder.name}"
    if temporary.exists():
        raise RecordingError(f"{temporary} is there: an earlier recovery was interrupted; remove it first")
    writer: BagWriter | None = None
    custom: dict[str, str] = {}
    for item in _read(files[0]):
        if isinstance(item, dict):
            custom = item
        else:
            writer = writer or BagWriter(temporary, custom, distro)
            writer.write(item)
    if writer is None:
        raise RecordingError(f"{files[0]} holds no whole message: nothing to recover")
    writer.close({"recovered": "true"})
    return _put_in_place(folder, files[0], temporary, writer.totals)


def _put_in_place(folder: Path, cut: Path, temporary: Path, totals: Totals) -> Totals:
    made = next(temporary.glob("*.mcap"))
    text = (temporary / METADATA_FILE).read_text(encoding="utf-8").replace(made.name, cut.name)
    os.replace(cut, cut.with_name(f"{cut.name}.cut"))
    os.replace(made, cut)
    (temporary / METADATA_FILE).write_text(text, encoding="utf-8")
    os.replace(temporary / METADATA_FILE, folder / METADATA_FILE)
    temporary.rmdir()
    return totals


def _read(path: Path) -> Iterator[Recorded | dict[str, str]]:
    """Yield the custom texts and the messages of a file until its end or the cut."""
    schemas: dict[int, Schema] = {}
    topics: dict[int, Topic] = {}
    with path.open("rb") as file:
        records = StreamReader(file, record_size_limit=path.stat().st_size).records
        while True:
            try:
                item = _item(next(records), schemas, topics)
            except Exception:  # the end, or the cut: of the format, the decompressor, a text, memory for a damaged size
                return
            if item is not None:
                yield item


def _item(record: Any, schemas: dict[int, Schema], topics: dict[int, Topic]) -> Recorded | dict[str, str] | None:
    """Return what a record holds; schemas and channels are noted."""
    if isinstance(record, Schema):
        schemas[record.id] = record
    elif isinstance(record, Channel):
        topics[record.id] = _topic(record, schemas[record.schema_id])
    elif isinstance(record, Metadata) and record.name == CUSTOM_RECORD:
        return dict(record.metadata)
    elif isinstance(record, Message):
        return Recorded(topics[record.channel_id], record.log_time, record.publish_time, record.data)
    return None


def _topic(channel: Channel, schema: Schema) -> Topic:
    profiles = yaml.safe_load(channel.metadata.get("offered_qos_profiles", "")) or []
    hash_ = channel.metadata.get("topic_type_hash", "")
    return Topic(channel.topic, schema.name, schema.data.decode(), hash_, tuple(profiles))
