# SPDX-License-Identifier: Apache-2.0
"""A tensor bundle: NAME.index says which tensors there are, NAME.data-0000i-of-0000n holds their numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vla_training.convert.bundle import wire
from vla_training.convert.bundle.crc32c import crc32c, masked
from vla_training.convert.bundle.errors import BundleError
from vla_training.convert.bundle.table import read_table

MAX_INDEX = 1 << 26  # bytes
MAX_SHARDS = 1000
FLOAT32, STRING, INT64 = 1, 7, 9  # of TensorFlow's DataType
DTYPES: Mapping[int, np.dtype[Any]] = {FLOAT32: np.dtype("<f4"), INT64: np.dtype("<i8")}
LFS_POINTER = b"version https://git-lfs"

__all__ = ["FLOAT32", "INT64", "STRING", "Bundle", "BundleError", "Entry"]


@dataclass(frozen=True, slots=True)
class Entry:
    """What the index says of one tensor: TensorFlow's type, shape, and the bytes that it takes of a shard."""

    dtype: int
    shape: tuple[int, ...]
    shard: int
    offset: int  # [bytes]
    size: int  # [bytes]
    checksum: int  # masked CRC-32C


class Bundle:
    """One checkpoint. The index is read at once and checked against the data files; tensors when they are asked for."""

    def __init__(self, prefix: Path) -> None:
        """`prefix`: the path without `.index`. Raises BundleError for a missing, damaged or truncated file."""
        self.prefix = prefix
        index = prefix.with_name(f"{prefix.name}.index")
        if not index.is_file():
            raise BundleError(f"{index} is missing")
        if index.stat().st_size > MAX_INDEX:
            raise BundleError(f"{index} has {index.stat().st_size} bytes; valid are at most {MAX_INDEX}")
        try:
            table = dict(read_table(index.read_bytes()))
            self.shards = _header(table.pop(b"", b""))
            self.entries: Mapping[str, Entry] = {wire.text(key): _entry(value) for key, value in table.items()}
        except BundleError as error:
            raise BundleError(f"{index}: {error}") from error
        self._data = [_mapped(path) for path in self._shard_paths()]
        self._check_ends()

    def array(self, name: str) -> NDArray[np.float32] | NDArray[np.int64]:
        """Return a tensor's numbers. Raises BundleError for an unknown name, another type or a wrong checksum."""
        entry = self._entry(name)
        if entry.dtype not in DTYPES:
            raise BundleError(f"{name} has TensorFlow's type {entry.dtype}; valid are 1 (float32) and 9 (int64)")
        dtype = DTYPES[entry.dtype]
        if entry.size != math.prod(entry.shape) * dtype.itemsize:
            raise BundleError(f"{name} of shape {list(entry.shape)} takes {entry.size} bytes")
        data = self._bytes(entry)
        found = masked(crc32c(data))
        if found != entry.checksum:
            raise BundleError(f"{name} is damaged: checksum {found:#010x}; {entry.checksum:#010x} was stored")
        values: NDArray[np.float32] | NDArray[np.int64] = data.view(dtype).reshape(entry.shape)
        return values

    def string(self, name: str) -> bytes:
        """Return the bytes of a single text. Raises BundleError for an unknown name or another type."""
        entry = self._entry(name)
        if entry.dtype != STRING or entry.shape:
            raise BundleError(f"{name} has TensorFlow's type {entry.dtype}; valid is 7 (string), a single one")
        data = self._bytes(entry).tobytes()
        length, at = wire.varint(data, 0)  # lengths, their checksum (4 bytes), texts
        if at + 4 + length != len(data):
            raise BundleError(f"{name} says {length} bytes; there are {len(data) - at - 4}")
        return data[at + 4 :]

    def _entry(self, name: str) -> Entry:
        if name not in self.entries:
            raise BundleError(f"{self.prefix} has no tensor {name}")
        return self.entries[name]

    def _bytes(self, entry: Entry) -> NDArray[np.uint8]:
        return np.array(self._data[entry.shard][entry.offset : entry.offset + entry.size])

    def _shard_paths(self) -> list[Path]:
        of = f"-of-{self.shards:05d}"
        return [self.prefix.with_name(f"{self.prefix.name}.data-{i:05d}{of}") for i in range(self.shards)]

    def _check_ends(self) -> None:
        for name, entry in self.entries.items():
            if entry.shard >= self.shards:
                raise BundleError(f"{self.prefix}.index: {name} is in shard {entry.shard} of {self.shards}")
            if entry.offset + entry.size > len(self._data[entry.shard]):
                raise BundleError(
                    f"{self._shard_paths()[entry.shard]} is truncated: it has {len(self._data[entry.shard])} bytes, "
                    f"{name} ends at {entry.offset + entry.size}"
                )


def _header(data: bytes) -> int:
    """The number of shards."""
    found = dict(wire.fields(data))
    shards, endian = wire.number(found.get(1, 0)), wire.number(found.get(2, 0))
    if not 1 <= shards <= MAX_SHARDS:
        raise BundleError(f"the header says {shards} data files; valid are 1 to {MAX_SHARDS}")
    if endian != 0:
        raise BundleError("the numbers are big-endian; valid is little-endian")
    return shards


def _entry(data: bytes) -> Entry:
    found: dict[int, wire.Value] = {}
    for number, value in wire.fields(data):
        if number == 7:
            raise BundleError("a variable is stored in slices; valid are whole ones")
        found[number] = value
    dtype, shard, offset, size, checksum = (wire.number(found.get(key, 0)) for key in (1, 3, 4, 5, 6))
    return Entry(dtype, _shape(wire.content(found.get(2, b""))), shard, offset, size, checksum)


def _shape(data: bytes) -> tuple[int, ...]:
    dims = [dict(wire.fields(wire.content(value))) for number, value in wire.fields(data) if number == 2]
    return tuple(wire.number(dim.get(1, 0)) for dim in dims)


def _mapped(path: Path) -> NDArray[np.uint8]:
    if not path.is_file():
        raise BundleError(f"{path} is missing")
    with path.open("rb") as file:
        if file.read(len(LFS_POINTER)) == LFS_POINTER:
            raise BundleError(f"{path} is a pointer of Git LFS; the file itself is needed (git lfs pull)")
    if path.stat().st_size == 0:
        return np.zeros(0, np.uint8)
    return np.memmap(path, np.uint8, "r")
