# SPDX-License-Identifier: Apache-2.0
"""Decompression of Snappy's raw format, for the small blocks of an index file."""

from __future__ import annotations

from vla_training.convert.bundle.errors import BundleError
from vla_training.convert.bundle.wire import varint

MAX_BLOCK = 1 << 26  # bytes


def decompress(data: bytes) -> bytes:
    """Return the original bytes. Raises BundleError for data that is damaged or claims more than 64 MiB."""
    size, at = varint(data, 0)
    if size > MAX_BLOCK:
        raise BundleError(f"a compressed block claims {size} bytes; valid are at most {MAX_BLOCK}")
    out = bytearray()
    while at < len(data):
        kind = data[at] & 3
        at = _literal(data, at, out) if kind == 0 else _copy(data, at, kind, out)
        if len(out) > size:
            break
    if len(out) != size:
        raise BundleError(f"a compressed block holds {len(out)} bytes or more; its header says {size}")
    return bytes(out)


def _literal(data: bytes, at: int, out: bytearray) -> int:
    length, at = data[at] >> 2, at + 1
    if length >= 60:
        extra = length - 59  # bytes of the length
        length, at = int.from_bytes(data[at : at + extra], "little"), at + extra
    end = at + length + 1
    if end > len(data):
        raise BundleError(f"a compressed block ends after {len(data)} bytes, inside a literal that ends at {end}")
    out += data[at:end]
    return end


def _copy(data: bytes, at: int, kind: int, out: bytearray) -> int:
    tag, width = data[at], (0, 1, 2, 4)[kind]
    offset = int.from_bytes(data[at + 1 : at + 1 + width], "little")
    length = (tag >> 2) + 1
    if kind == 1:
        offset, length = offset | (tag >> 5) << 8, (tag >> 2 & 7) + 4
    if at + 1 + width > len(data) or not 0 < offset <= len(out):
        raise BundleError(f"a compressed block copies from {offset} bytes back; {len(out)} are there")
    for _ in range(length):  # may overlap what it writes
        out.append(out[-offset])
    return at + 1 + width
