# SPDX-License-Identifier: Apache-2.0
"""Protocol-buffer messages of flat fields, which is all that lerobot's transport has; no generated code is needed."""

from collections.abc import Mapping

from vla_policy.errors import ReplyError

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # wire types


def encode(fields: Mapping[int, int | bytes]) -> bytes:
    """Return the message with these fields by number: whole numbers from 0 as varint, bytes as they are."""
    parts: list[bytes] = []
    for number, value in fields.items():
        if isinstance(value, int):
            parts += [_varint(number << 3 | VARINT), _varint(value)]
        else:
            parts += [_varint(number << 3 | BYTES), _varint(len(value)), value]
    return b"".join(parts)


def decode(data: bytes) -> dict[int, int | bytes]:
    """Return the fields of a message by number, the last one of each. Raises ReplyError for a damaged message."""
    fields: dict[int, int | bytes] = {}
    place = 0
    while place < len(data):
        tag, place = _read_varint(data, place)
        number, wire = tag >> 3, tag & 7
        if wire == VARINT:
            fields[number], place = _read_varint(data, place)
            continue
        if wire == BYTES:
            length, place = _read_varint(data, place)
        elif wire in (FIXED64, FIXED32):
            length = 8 if wire == FIXED64 else 4
        else:
            raise ReplyError(f"the message has wire type {wire}; valid are 0, 1, 2 and 5")
        if length > len(data) - place:
            raise ReplyError(f"field {number} of the message has {length} bytes and {len(data) - place} are there")
        fields[number] = data[place : place + length]
        place += length
    return fields


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _read_varint(data: bytes, place: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(data):
            break
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise ReplyError("the message ends within a number, or the number is too long")
