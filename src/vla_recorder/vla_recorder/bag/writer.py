# SPDX-License-Identifier: Apache-2.0
"""A bag that grows. What was flushed survives the end of the process; metadata.yaml comes at the close."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import yaml
from mcap.writer import CompressionType, Writer

from vla_recorder.bag.bag import CUSTOM_RECORD, MESSAGE_ENCODING, PROFILE, SCHEMA_ENCODING, Recorded, Topic
from vla_recorder.bag.metadata import Totals, describe, write_metadata

LIBRARY = "vla_recorder"
CHUNK_SIZE = 4 * 2**20  # [bytes] of a chunk that is written before the next flush


class BagWriter:
    """Writes one bag: a new folder with NAME_0.mcap in it. After an OSError of any method, only `abandon` is valid."""

    def __init__(self, folder: Path, custom: Mapping[str, str], distro: str = "") -> None:
        """Create the folder and begin the file. `custom`: texts by name, kept in the file and in metadata.yaml.

        Raises:
            FileExistsError: the folder is there: nothing is written over.
        """
        folder.mkdir(parents=True)
        self.folder, self.custom, self.totals = folder, dict(custom), Totals()
        self.written = 0  # bytes in the file at the last flush
        self._distro = distro
        self._file: BinaryIO = (folder / f"{folder.name}_0.mcap").open("wb")
        self._writer = Writer(self._file, chunk_size=CHUNK_SIZE, compression=CompressionType.ZSTD)
        self._schemas: dict[str, int] = {}
        self._channels: dict[Topic, int] = {}
        self._writer.start(PROFILE, LIBRARY)
        self._writer.add_metadata(CUSTOM_RECORD, self.custom)
        self._file.flush()

    def write(self, message: Recorded) -> None:
        """Append a message."""
        topic, log_ns, publish_ns, data = message
        if topic not in self._channels:
            self._channels[topic] = self._register(topic)
        sequence = self.totals.counts.get(topic, 0) + 1
        self._writer.add_message(self._channels[topic], log_ns, data, publish_ns, sequence)
        self.totals.add(topic, log_ns)

    def _register(self, topic: Topic) -> int:
        if topic.type not in self._schemas:
            content = topic.definition.encode()
            self._schemas[topic.type] = self._writer.register_schema(topic.type, SCHEMA_ENCODING, content)
        qos = yaml.safe_dump([dict(profile) for profile in topic.qos], sort_keys=False) if topic.qos else ""
        about = {"offered_qos_profiles": qos, "topic_type_hash": topic.type_hash}
        return int(self._writer.register_channel(topic.name, MESSAGE_ENCODING, self._schemas[topic.type], about))

    def flush(self) -> None:
        """Hand everything to the operating system."""
        self._writer.flush()
        self.written = self._file.tell()

    def close(self, changes: Mapping[str, str]) -> None:
        """Finish the file and write metadata.yaml; `changes` are entries of `custom` known only now."""
        self.custom.update(changes)
        self._writer.add_metadata(CUSTOM_RECORD, self.custom)
        self._writer.finish()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        name = f"{self.folder.name}_0.mcap"
        write_metadata(self.folder, describe(name, self.totals, self.custom, self._distro))

    def abandon(self) -> None:
        """Close the file as it is; `recover` makes a bag of it."""
        try:
            self._file.close()
        except OSError:  # what is still buffered cannot be written
            self._file.raw.close()  # type: ignore[attr-defined]
