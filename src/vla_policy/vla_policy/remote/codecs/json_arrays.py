# SPDX-License-Identifier: Apache-2.0
"""JSON with arrays as json_numpy writes them: {"__numpy__": base64 of the bytes, "dtype": "<f4", "shape": [7]}."""

import base64
import binascii
import json
from typing import Any

import numpy as np

from vla_policy.errors import ReplyError
from vla_policy.remote.codecs.arrays import array_from, check_depth, plain


def dumps(value: object) -> str:
    """Return the JSON text of a value with arrays in it. Raises ValueError for what cannot be sent."""
    return json.dumps(value, default=_encode, allow_nan=False)


def loads(text: str | bytes) -> Any:
    """Return the value; its arrays are read-only. Raises ReplyError for anything but sound JSON."""
    try:
        value = json.loads(text, object_hook=_decode)
    except RecursionError as error:
        raise ReplyError("the reply is nested too deeply") from error
    except ValueError as error:  # damaged JSON, or no UTF-8
        raise ReplyError(f"the reply is no JSON: {error}") from error
    check_depth(value)
    return value


def _encode(value: object) -> object:
    if isinstance(value, np.generic):
        return plain(np.asarray(value)).item()
    if isinstance(value, np.ndarray):
        array = plain(value)
        text = base64.b64encode(array.tobytes()).decode("ascii")
        return {"__numpy__": text, "dtype": array.dtype.str, "shape": list(array.shape)}
    raise ValueError(f"a {type(value).__name__} cannot be sent; valid are numbers, texts, lists, maps and arrays")


def _decode(value: dict[str, Any]) -> object:
    if "__numpy__" not in value:
        return value
    try:
        data = base64.b64decode(value["__numpy__"], validate=True)
    except (binascii.Error, TypeError, ValueError) as error:
        raise ReplyError(f"an array's data is no base64: {error}") from error
    return array_from(value.get("dtype"), value.get("shape"), data)
