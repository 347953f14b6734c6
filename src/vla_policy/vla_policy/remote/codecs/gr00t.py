# SPDX-License-Identifier: Apache-2.0
"""The two msgpack formats of GR00T's server. Both are read; what is written is chosen by name.

npy     (N1.5, N1.6, N1.7 sources)  {"__ndarray_class__": True, "as_npy": bytes of a .npy file}
numpy   (N1.7 releases)             {b"nd": True, b"type": "<f4", b"kind": b"", b"shape": [t, d], b"data": bytes}
a modality configuration            {"__ModalityConfig_class__" or "__ModalityConfig__": True, "as_json": map or text}
"""

import io
import json
import math
from typing import Any

import msgpack
import numpy as np

from vla_policy.errors import ReplyError
from vla_policy.remote.codecs.arrays import array_from, check_depth, dtype_from, plain, shape_from

CODECS = ("npy", "numpy")
MODALITY = ("__ModalityConfig_class__", "__ModalityConfig__")


def pack(value: object, codec: str) -> bytes:
    """Return the bytes of a value with arrays in it. Raises ValueError for what cannot be sent."""
    encode = {"npy": _encode_npy, "numpy": _encode_numpy}[codec]
    return bytes(msgpack.packb(value, default=encode))


def unpack(data: bytes) -> Any:
    """Return the value; a modality configuration is a plain map. Raises ReplyError for anything unsound."""
    try:
        value = msgpack.unpackb(data, object_hook=_decode, raw=False)
    except ReplyError:
        raise
    except Exception as error:  # as in openpi.unpack
        raise ReplyError(f"the message is no msgpack: {type(error).__name__}: {error}".rstrip(": ")) from error
    check_depth(value)
    return value


def _array(value: object) -> np.ndarray[Any, Any]:
    if not isinstance(value, np.ndarray):
        raise ValueError(f"a {type(value).__name__} cannot be sent; valid are numbers, texts, lists, maps and arrays")
    return plain(value)


def _encode_npy(value: object) -> object:
    file = io.BytesIO()
    np.save(file, _array(value), allow_pickle=False)
    return {"__ndarray_class__": True, "as_npy": file.getvalue()}


def _encode_numpy(value: object) -> object:
    array = _array(value)
    return {b"nd": True, b"type": array.dtype.str, b"kind": b"", b"shape": array.shape, b"data": array.tobytes()}


def _decode(value: dict[Any, Any]) -> object:
    by_name = {key.decode("utf-8", "replace") if isinstance(key, bytes) else key: item for key, item in value.items()}
    if any(name in by_name for name in MODALITY):
        return _modality(by_name.get("as_json"))
    if "__ndarray_class__" in by_name:
        return _from_npy(by_name.get("as_npy"))
    if by_name.get("nd") is True and "type" in by_name:
        if by_name.get("kind") not in (None, b"", ""):
            raise ReplyError(f"an array's kind is {by_name['kind']!r}; valid is empty: plain numbers")
        return array_from(by_name["type"], by_name.get("shape"), by_name.get("data"))
    if by_name.get("nd") is False and "type" in by_name:
        return array_from(by_name["type"], (), by_name.get("data"))[()]
    return value


def _modality(value: object) -> object:
    try:
        content = json.loads(value) if isinstance(value, str | bytes) else value
    except (ValueError, RecursionError) as error:
        raise ReplyError(f"a modality configuration is no JSON: {error}") from error
    if not isinstance(content, dict):
        raise ReplyError(f"a modality configuration is a {type(content).__name__}; valid is a map")
    return content


def _from_npy(data: object) -> np.ndarray[Any, Any]:
    """Return the array of a .npy file: its header is checked against its length before anything is allocated."""
    if not isinstance(data, bytes):
        raise ReplyError(f"an array's file is a {type(data).__name__}; valid are bytes")
    file = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(file)
        read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
        shape, fortran, dtype = read(file)
    except Exception as error:  # the header is a Python literal: damaged ones raise errors of many kinds
        raise ReplyError(f"an array is no .npy file: {type(error).__name__}: {str(error)[:100]}") from error
    kind, sizes, rest = dtype_from(dtype.str), shape_from(tuple(shape)), data[file.tell() :]
    if len(rest) != math.prod(sizes) * kind.itemsize:
        raise ReplyError(f"an array of shape {sizes} and type {kind.str} has {len(rest)} bytes")
    return np.frombuffer(rest, kind).reshape(sizes, order="F" if fortran else "C")
