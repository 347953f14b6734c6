# SPDX-License-Identifier: Apache-2.0
"""Size of a JPEG or PNG file by its header, before anything is decoded or allocated."""

from __future__ import annotations

import struct

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_FRAMES = frozenset((*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)))
_WITHOUT_LENGTH = frozenset((0x01, *range(0xD0, 0xD9)))


def height_width(content: bytes) -> tuple[int, int] | None:
    """Return (height, width) [pixel] that the file claims to have; None where it says none."""
    if content.startswith(PNG_MAGIC):
        if len(content) < 24:
            return None
        width, height = struct.unpack(">II", content[16:24])
        return height, width
    return _of_jpeg(content)


def _of_jpeg(content: bytes) -> tuple[int, int] | None:
    """Walk the segments up to the start of the frame."""
    place = 2
    while place + 9 <= len(content):
        if content[place] != 0xFF:
            return None
        marker = content[place + 1]
        if marker == 0xFF or marker in _WITHOUT_LENGTH:
            place += 1 if marker == 0xFF else 2
            continue
        if marker in _FRAMES:
            height, width = struct.unpack(">HH", content[place + 5 : place + 9])
            return height, width
        place += 2 + max(2, int.from_bytes(content[place + 2 : place + 4], "big"))
    return None
