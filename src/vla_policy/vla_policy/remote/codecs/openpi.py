# SPDX-License-Identifier: Apache-2.0
"""The msgpack format of openpi: arrays and numpy scalars are maps with bytes as keys.

{b"__ndarray__": True, b"data": bytes in C order, b"dtype": "<f4", b"shape": [h, d]}
{b"__npgeneric__": True, b"data": number, b"dtype": "<f4"}
"""

from typing import Any

import msgpack
import numpy as np

from vla_policy.errors import ReplyError
from vla_policy.remote.codecs.arrays import array_from, check_depth, dtype_from, plain


def pack(value: object) -> bytes:
    """Return the bytes of a value with arrays in it. Raises ValueError for what the format does not carry."""
    return bytes(msgpack.packb(value, default=_encode))


def unpack(data: bytes) -> Any:
    """Return the value; its arrays are read-only. Raises ReplyError for anything but one sound message."""
    try:
        value = msgpack.unpackb(data, object_hook=_decode, strict_map_key=True)
    except ReplyError:
        raise
    except Exception as error:  # msgpack raises errors of many kinds for damaged data
        raise ReplyError(f"the message is no msgpack: {type(error).__name__}: {error}".rstrip(": ")) from error
    check_depth(value)
    return value


def _encode(value: object) -> object:
    if isinstance(value, np.ndarray):
        array = plain(value)
        return {b"__ndarray__": True, b"data": array.tobytes(), b"dtype": array.dtype.str, b"shape": array.shape}
    if isinstance(value, np.generic):
        return {b"__npgeneric__": True, b"data": plain(np.asarray(value)).item(), b"dtype": value.dtype.str}
    raise ValueError(
        f"a {type(value).__name__} cannot be sent; valid are numbers, texts, bytes, lists, maps and arrays"
    )


def _decode(value: dict[Any, Any]) -> object:
    if b"__ndarray__" in value:
        return array_from(value.get(b"dtype"), value.get(b"shape"), value.get(b"data"))
    if b"__npgeneric__" in value:
        number = value.get(b"data")
        if not isinstance(number, bool | int | float):
            raise ReplyError(f"a numpy scalar is a {type(number).__name__}; valid is a number")
        try:
            return dtype_from(value.get(b"dtype")).type(number)
        except OverflowError as error:
            raise ReplyError(f"a numpy scalar does not fit its type: {error}") from error
    return value
