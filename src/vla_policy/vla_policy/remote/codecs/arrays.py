# SPDX-License-Identifier: Apache-2.0
"""Arrays from the wire: sizes, types and numbers are checked before anything is allocated."""

import math
import reprlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vla_policy.errors import ReplyError

KINDS = "biuf"  # bool, whole numbers, floats; object, void, text, time and complex are refused
MAX_DIMENSIONS = 8
MAX_DEPTH = 32  # of nested maps and lists
MAX_STEPS = 1000
MAX_COLUMNS = 256
MAX_MAGNITUDE = 1e6  # of an action; larger numbers are no action of any arm


def array_from(dtype: object, shape: object, data: object) -> NDArray[Any]:
    """Return the read-only array of a type name, a shape and its bytes in C order. Raises ReplyError."""
    kind = dtype_from(dtype)
    sizes = shape_from(shape)
    if not isinstance(data, bytes | bytearray | memoryview):
        raise ReplyError(f"an array's data is a {type(data).__name__}; valid are bytes")
    wanted = math.prod(sizes) * kind.itemsize
    if len(data) != wanted:
        raise ReplyError(f"an array of shape {sizes} and type {kind.str} has {len(data)} bytes; valid is {wanted}")
    return np.frombuffer(data, kind).reshape(sizes)


def dtype_from(name: object) -> np.dtype[Any]:
    """Return a type by its name, such as '<f4'. Raises ReplyError for any but plain numbers."""
    if isinstance(name, bytes):
        name = name.decode("ascii", "replace")
    try:
        kind = np.dtype(name) if isinstance(name, str) and len(name) <= 12 else None
    except (TypeError, ValueError, SyntaxError):
        kind = None
    if kind is None or kind.kind not in KINDS or kind.itemsize > 8 or kind.hasobject:
        raise ReplyError(
            f"an array's type is {_name(name)[:40]!r}; valid are bool, whole numbers and floats of 1 to 8 bytes"
        )
    return kind


def shape_from(shape: object) -> tuple[int, ...]:
    """Return a shape. Raises ReplyError for more than MAX_DIMENSIONS, or anything but whole numbers from 0."""
    if not isinstance(shape, list | tuple) or len(shape) > MAX_DIMENSIONS:
        raise ReplyError(f"an array's shape is {_text(shape)[:60]}; valid are at most {MAX_DIMENSIONS} whole numbers")
    if not all(isinstance(size, int) and not isinstance(size, bool) and 0 <= size < 2**40 for size in shape):
        raise ReplyError(f"an array's shape is {_text(shape)[:60]}; valid are whole numbers from 0")
    return tuple(shape)


def plain(array: NDArray[Any]) -> NDArray[Any]:
    """Return the array, which is to be sent. Raises ValueError for a type that the protocols do not carry."""
    if array.dtype.kind not in KINDS:
        raise ValueError(f"an array of type {array.dtype} cannot be sent; valid are bool, whole numbers and floats")
    return array


def actions_from(value: object, what: str = "actions") -> NDArray[np.float32]:
    """Return actions (h, d) from an array or nested lists; one step (d,) becomes (1, d).

    Raises:
        ReplyError: another shape, no numbers, NaN, infinity, or a magnitude above MAX_MAGNITUDE.
    """
    numbers = _numbers(value, what)
    if numbers.ndim == 1:
        numbers = numbers[None]
    if numbers.ndim != 2 or not (1 <= numbers.shape[0] <= MAX_STEPS and 1 <= numbers.shape[1] <= MAX_COLUMNS):
        raise ReplyError(
            f"{what} has shape {np.shape(numbers)}; valid is (steps, columns) with 1 to {MAX_STEPS} steps of 1 to "
            f"{MAX_COLUMNS} columns"
        )
    if not np.isfinite(numbers).all():
        step, column = np.argwhere(~np.isfinite(numbers))[0]
        raise ReplyError(
            f"{what} has {numbers[step, column]} at step {step}, column {column}; valid are finite numbers"
        )
    largest = float(np.abs(numbers).max())
    if largest > MAX_MAGNITUDE:
        raise ReplyError(f"{what} has a number of magnitude {largest:g}; valid is up to {MAX_MAGNITUDE:g}")
    return np.asarray(numbers, np.float32)


def _numbers(value: object, what: str) -> NDArray[np.float64]:
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in KINDS:
            raise ReplyError(f"{what} has type {value.dtype}; valid are numbers")
        return value.astype(np.float64)
    if not isinstance(value, list | tuple):
        raise ReplyError(f"{what} is {short(value)}; valid is an array (steps, columns)")
    try:
        with np.errstate(all="ignore"):
            numbers = np.array(value, dtype=object if not value else None)
    except (ValueError, TypeError, OverflowError) as error:
        raise ReplyError(f"{what} is no array: {error}") from error
    if numbers.dtype.kind not in KINDS:
        raise ReplyError(f"{what} is {short(value)}; valid is an array (steps, columns) of numbers")
    return numbers.astype(np.float64)


def check_depth(value: object, limit: int = MAX_DEPTH) -> None:
    """Raise ReplyError where lists and maps are nested deeper than `limit`."""
    level: list[object] = [value]
    for _ in range(limit):
        level = [inner for item in level for inner in _inside(item)]
        if not level:
            return
    raise ReplyError(f"the reply is nested deeper than {limit} levels")


def _inside(item: object) -> Iterator[object]:
    inner: Sequence[object] = ()
    if isinstance(item, dict):
        inner = list(item.values())
    elif isinstance(item, list | tuple):
        inner = item
    return (child for child in inner if isinstance(child, dict | list | tuple))


_REPR = reprlib.Repr()  # the reprs of nested lists that share their parts are exponentially long
_REPR.maxlevel, _REPR.maxother, _REPR.maxstring = 3, 200, 200


def _text(value: object) -> str:
    try:
        return _REPR.repr(value)
    except ValueError:  # an integer of more digits than Python writes
        return "number of very many digits"


def _name(key: object) -> str:
    return key if isinstance(key, str) else _text(key)


def short(value: object, limit: int = 60) -> str:
    """Return what a value is, for a message."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape}"
    if isinstance(value, dict):
        return f"a map with {', '.join(_name(key)[:30] for key in list(value)[:8]) or 'no keys'}"
    text = _text(value)
    return f"{type(value).__name__} {text if len(text) <= limit else text[:limit] + '…'}"
