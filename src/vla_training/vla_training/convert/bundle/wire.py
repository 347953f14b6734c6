# SPDX-License-Identifier: Apache-2.0
"""Protocol buffers' wire format, as far as checkpoints use it."""

from __future__ import annotations

from collections.abc import Iterator

from vla_training.convert.bundle.errors import BundleError

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_FIXED = {FIXED64: 8, FIXED32: 4}
_NAMES = {VARINT: "a number", FIXED64: "a number of 8 bytes", BYTES: "bytes", FIXED32: "a number of 4 bytes"}
Value = int | bytes


def varint(data: bytes, at: int) -> tuple[int, int]:
    """Return the number at `at` and where it ends. Raises BundleError where it does not end."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            break
        value |= (data[at] & 0x7F) << shift
        at += 1
        if data[at - 1] < 0x80:
            return value, at
    raise BundleError(f"a number at byte {at} does not end; valid are at most 10 bytes")


def fields(data: bytes) -> Iterator[tuple[int, Value]]:
    """Yield the number and value of each field of a message, in order. Raises BundleError for damaged data."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        kind = key & 7
        if kind == VARINT:
            value, at = varint(data, at)
            yield key >> 3, value
        elif kind in _FIXED:
            piece, at = _piece(data, at, _FIXED[kind])
            yield key >> 3, int.from_bytes(piece, "little")
        elif kind == BYTES:
            length, at = varint(data, at)
            piece, at = _piece(data, at, length)
            yield key >> 3, piece
        else:
            raise BundleError(f"field {key >> 3} has wire type {kind}; valid are {', '.join(map(str, _NAMES))}")


def number(value: Value) -> int:
    """Return a field's number. Raises BundleError where it holds bytes."""
    if not isinstance(value, int):
        raise BundleError(f"a field holds {len(value)} bytes; valid is a number")
    return value


def content(value: Value) -> bytes:
    """Return a field's bytes. Raises BundleError where it holds a number."""
    if isinstance(value, int):
        raise BundleError(f"a field holds the number {value}; valid are bytes")
    return value


def text(value: Value) -> str:
    """Return a field's text. Raises BundleError where it is not UTF-8."""
    try:
        return content(value).decode("utf-8")
    except UnicodeDecodeError as error:
        raise BundleError(f"a name is not UTF-8: {error}") from error


def _piece(data: bytes, at: int, length: int) -> tuple[bytes, int]:
    if at + length > len(data):
        raise BundleError(f"a field of {length} bytes at byte {at} goes beyond the message of {len(data)}")
    return data[at : at + length], at + length
