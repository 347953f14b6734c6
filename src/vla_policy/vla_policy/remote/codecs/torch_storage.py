# SPDX-License-Identifier: Apache-2.0
"""The bytes that torch pickles a tensor's storage into, read with NumPy alone.

Five pickles: magic number, version, machine, the storage as a persistent identifier
`("storage", type, key, place, number of elements, view)`, list of keys; then for each key the number of elements
(8 bytes) and the elements.
"""

import io
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vla_policy.errors import ReplyError
from vla_policy.remote.codecs.arrays import short

MAGIC = 0x1950A86A20F9469CFC6C
VERSION = 1001
BFLOAT16 = "bfloat16"
TYPES: Mapping[str, str] = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "BFloat16Storage": BFLOAT16,
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "<i1",
    "ByteStorage": "<u1",
}
Names = Mapping[tuple[str, str], Callable[..., Any]]
Load = Callable[[io.BytesIO, Names, Callable[[Any], Any] | None], Any]


class _Type:
    """A storage type by name; a pickle may refer to it, and may not call it."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, *arguments: object) -> object:
        raise ReplyError(f"the pickle calls {self.name}; valid is a reference to it")


def storage_from(data: object, load: Load) -> NDArray[Any]:
    """Return the elements (n,) of a storage; bfloat16 becomes float32.

    Args:
        data: the bytes.
        load: reads the next pickle of a file, with nothing but the names that it is given.

    Raises:
        ReplyError: the bytes are no storage, or of an unknown type.
    """
    if not isinstance(data, bytes):
        raise ReplyError(f"a tensor's storage is {short(data)}; valid are bytes")
    file = io.BytesIO(data)
    if (magic := load(file, {}, None)) != MAGIC or load(file, {}, None) != VERSION:
        raise ReplyError(f"a tensor's storage begins with {short(magic)}; valid is torch's legacy format")
    load(file, {}, None)  # byte order and sizes of the machine that wrote it
    name, key, count = _identifier(load(file, _TYPES, lambda identifier: identifier))
    if load(file, {}, None) != [key]:
        raise ReplyError("a tensor's storage holds other keys than its own")
    kind = np.dtype("<u2" if TYPES[name] == BFLOAT16 else TYPES[name])
    body = data[file.tell() :]
    if len(body) != 8 + count * kind.itemsize or int.from_bytes(body[:8], "little") != count:
        raise ReplyError(
            f"a tensor's storage of {count} numbers has {len(body)} bytes; valid is {8 + count * kind.itemsize}"
        )
    numbers = np.frombuffer(body, kind, offset=8)
    if TYPES[name] == BFLOAT16:  # the upper half of a float32
        return (numbers.astype(np.uint32) << 16).view(np.float32)
    return numbers


_TYPES: Names = {("torch", name): _Type(name) for name in TYPES}


def _identifier(value: object) -> tuple[str, str, int]:
    parts = value if isinstance(value, tuple) else ()
    if len(parts) < 5 or parts[0] != "storage" or not isinstance(parts[1], _Type):
        raise ReplyError(f"a tensor's storage is {short(value)}; valid is a storage of numbers")
    if not isinstance(parts[2], str) or not isinstance(parts[4], int) or parts[4] < 0 or (parts[5:] and parts[5]):
        raise ReplyError(f"a tensor's storage is {short(value)}; valid is a complete one, with its number of elements")
    return parts[1].name, parts[2], parts[4]
