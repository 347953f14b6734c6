# SPDX-License-Identifier: Apache-2.0
"""Writes TensorFlow's checkpoint format, for tests of what reads it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from vla_training.convert.bundle.crc32c import crc32c, masked
from vla_training.convert.bundle.table import MAGIC

Tensor = NDArray[np.float32] | NDArray[np.int64] | bytes
DTYPES = {np.dtype("<f4"): 1, np.dtype("<i8"): 9}


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def literal(data: bytes) -> bytes:
    """Snappy's format without any compression."""
    pieces = [data[at : at + 60] for at in range(0, len(data), 60)]
    return varint(len(data)) + b"".join(bytes([len(piece) - 1 << 2]) + piece for piece in pieces)


def block(entries: Mapping[bytes, bytes], snappy: bool = False) -> bytes:
    """A table's block with its trailer; keys share prefixes as LevelDB writes them."""
    out, before = bytearray(), b""
    for key in sorted(entries):
        shared = next(
            (i for i, (a, b) in enumerate(zip(key, before, strict=False)) if a != b), min(len(key), len(before))
        )
        out += varint(shared) + varint(len(key) - shared) + varint(len(entries[key])) + key[shared:] + entries[key]
        before = key
    data = bytes(out) + bytes(4) + (1).to_bytes(4, "little")  # one restart point, at the beginning
    data = (literal(data) if snappy else data) + bytes([snappy])
    return data + masked(crc32c(data)).to_bytes(4, "little")


def table(entries: Mapping[bytes, bytes], snappy: bool = False, per_block: int = 16) -> bytes:
    out, index, keys = bytearray(), {}, sorted(entries)
    for at in range(0, len(keys), per_block):
        part = keys[at : at + per_block]
        written = block({key: entries[key] for key in part}, snappy)
        index[part[-1]] = varint(len(out)) + varint(len(written) - 5)
        out += written
    handles = []
    for written in (block({}), block(index, snappy)):  # meta index, index
        handles.append(varint(len(out)) + varint(len(written) - 5))
        out += written
    return bytes(out) + b"".join(handles).ljust(40, b"\0") + MAGIC.to_bytes(8, "little")


def stored(value: Tensor) -> tuple[int, tuple[int, ...], bytes]:
    """Type, shape and bytes of a tensor."""
    if isinstance(value, bytes):
        length = varint(len(value))
        return 7, (), length + masked(crc32c(length)).to_bytes(4, "little") + value
    return DTYPES[value.dtype], value.shape, value.tobytes()


def entry(dtype: int, shape: tuple[int, ...], offset: int, data: bytes) -> bytes:
    dims = b"".join(field(2, field(1, size)) for size in shape)
    checksum = varint(6 << 3 | 5) + masked(crc32c(data)).to_bytes(4, "little")
    return field(1, dtype) + field(2, dims) + field(4, offset) + field(5, len(data)) + checksum


def write_bundle(prefix: Path, tensors: Mapping[str, Tensor], snappy: bool = False) -> None:
    """Write PREFIX.index and PREFIX.data-00000-of-00001."""
    entries, data = {b"": field(1, 1)}, bytearray()
    for name in sorted(tensors):
        dtype, shape, content = stored(tensors[name])
        entries[name.encode()] = entry(dtype, shape, len(data), content)
        data += content
    prefix.parent.mkdir(parents=True, exist_ok=True)
    prefix.with_name(f"{prefix.name}.data-00000-of-00001").write_bytes(data)
    prefix.with_name(f"{prefix.name}.index").write_bytes(table(entries, snappy))
