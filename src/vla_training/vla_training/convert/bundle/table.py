# SPDX-License-Identifier: Apache-2.0
"""LevelDB's table format (SSTable): sorted keys and values in blocks that may be compressed."""

from __future__ import annotations

from collections.abc import Iterator

from vla_training.convert.bundle.crc32c import crc32c, masked
from vla_training.convert.bundle.errors import BundleError
from vla_training.convert.bundle.snappy import decompress
from vla_training.convert.bundle.wire import varint

MAGIC = 0xDB4775248B80FB57
FOOTER = 48  # bytes
TRAILER = 5  # bytes after a block: compression and checksum
PLAIN, SNAPPY = 0, 1


def read_table(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield keys and values in order. Raises BundleError for another format, damage or a wrong checksum."""
    if len(data) < FOOTER:
        raise BundleError(f"the file has {len(data)} bytes; a table has at least {FOOTER}")
    footer = data[-FOOTER:]
    magic = int.from_bytes(footer[-8:], "little")
    if magic != MAGIC:
        raise BundleError(f"the file ends in {magic:#018x}; a table ends in {MAGIC:#018x}")
    _, at = _handle(footer, 0)
    index, _ = _handle(footer, at)
    for _, handle in _entries(_block(data, *index)):
        yield from _entries(_block(data, *_handle(handle, 0)[0]))


def _handle(data: bytes, at: int) -> tuple[tuple[int, int], int]:
    """Where a block lies (offset, size), and where this ends."""
    offset, at = varint(data, at)
    size, at = varint(data, at)
    return (offset, size), at


def _block(data: bytes, offset: int, size: int) -> bytes:
    end = offset + size
    if end + TRAILER > len(data) - FOOTER:
        raise BundleError(f"a block ends at byte {end + TRAILER}; the file's blocks end at {len(data) - FOOTER}")
    stored = int.from_bytes(data[end + 1 : end + TRAILER], "little")
    found = masked(crc32c(data[offset : end + 1]))
    if found != stored:
        raise BundleError(f"the block at byte {offset} has checksum {found:#010x}; {stored:#010x} was stored")
    if data[end] not in (PLAIN, SNAPPY):
        raise BundleError(f"the block at byte {offset} has compression {data[end]}; valid are 0 (none), 1 (snappy)")
    return data[offset:end] if data[end] == PLAIN else decompress(data[offset:end])


def _entries(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    restarts = int.from_bytes(block[-4:], "little")
    end = len(block) - 4 * (restarts + 1)
    if end < 0:
        raise BundleError(f"a block of {len(block)} bytes claims {restarts} restart points")
    at, key = 0, b""
    while at < end:
        shared, at = varint(block, at)
        fresh, at = varint(block, at)
        length, at = varint(block, at)
        if shared > len(key) or at + fresh + length > end:
            raise BundleError(f"an entry at byte {at} goes beyond its block of {end} bytes")
        key = key[:shared] + block[at : at + fresh]
        at += fresh
        yield key, block[at : at + length]
        at += length
