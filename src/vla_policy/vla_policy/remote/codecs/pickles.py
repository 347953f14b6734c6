# SPDX-License-Identifier: Apache-2.0
"""lerobot's pickles, written without its package and read without running anything.

A pickle names functions and classes to call. The reader here knows four names, those that a list of lerobot's
TimedAction needs, and gives each of them a harmless stand-in of its own; any other name is refused before it is looked
up. The pure Python unpickler is used, because the other one allocates what a message merely claims to need.
"""

import io
import pickle
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vla_policy.errors import ReplyError
from vla_policy.remote.codecs.arrays import MAX_STEPS, shape_from, short
from vla_policy.remote.codecs.torch_storage import storage_from

HELPERS = "lerobot.async_inference.helpers"  # the module of lerobot whose classes travel
MAX_NUMBER = 2**63  # of a timestamp [s] or timestep
MAX_ELEMENTS = 1_000_000  # of one tensor
PROTOCOL = 3  # the last one without frames, whose lengths the parts below would have to keep


class TimedAction:
    """Stand-in for lerobot's class: the attributes that the pickle sets."""

    timestamp: float
    timestep: int
    action: NDArray[Any]


@dataclass(frozen=True, slots=True)
class Step:
    """One action: timestamp [s] and timestep as the server set them; values: (d,)."""

    timestamp: float
    timestep: int
    values: NDArray[Any]


def dump_instance(name: str, attributes: Mapping[str, object]) -> bytes:
    """Return the pickle of an instance of lerobot's helper class `name`, a plain dataclass, with these attributes."""
    state = pickle.dumps(dict(attributes), PROTOCOL)
    header, body = state[:2], state[2:-1]  # without the opcode that ends it
    made = b"c" + HELPERS.encode() + b"\n" + name.encode() + b"\n" + pickle.EMPTY_TUPLE + pickle.NEWOBJ
    return header + made + body + pickle.BUILD + pickle.STOP


def load_actions(data: bytes) -> tuple[Step, ...]:
    """Return the steps of a pickled list of TimedAction.

    Raises:
        ReplyError: another name or content; nothing of it was run.
    """
    value = restricted_load(data, NAMES)
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_STEPS:
        raise ReplyError(f"the reply is {short(value)}; valid is a list of 1 to {MAX_STEPS} TimedAction")
    return tuple(_step(item) for item in value)


def restricted_load(data: bytes, names: Mapping[tuple[str, str], Callable[..., Any]]) -> Any:
    """Return the content of a pickle that names nothing but `names`. Raises ReplyError."""
    return load_from(io.BytesIO(data), names)


def load_from(
    file: io.BytesIO,
    names: Mapping[tuple[str, str], Callable[..., Any]],
    persistent: Callable[[Any], Any] | None = None,
) -> Any:
    """Return the next pickle of a file, as `restricted_load`; `persistent` resolves its persistent identifiers."""
    try:
        return _Restricted(file, names, persistent).load()
    except ReplyError:
        raise
    except Exception as error:  # damaged pickles raise errors of every kind
        raise ReplyError(f"the pickle is damaged: {type(error).__name__}: {str(error)[:100]}".rstrip(": ")) from error


class _Restricted(pickle._Unpickler):
    def __init__(
        self,
        file: io.BytesIO,
        names: Mapping[tuple[str, str], Callable[..., Any]],
        persistent: Callable[[Any], Any] | None,
    ) -> None:
        super().__init__(file)
        self._names, self._persistent = names, persistent

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self._names[module, name]
        except KeyError:
            valid = ", ".join(".".join(pair) for pair in self._names) or "none"
            named = f"{module[:80]}.{name[:80]}"
            raise ReplyError(f"the pickle names {named}, which was refused and not run; valid are {valid}") from None

    def persistent_load(self, identifier: Any) -> Any:
        if self._persistent is None:
            raise ReplyError("the pickle refers to something outside of it; valid is a pickle that is complete")
        return self._persistent(identifier)


def _tensor(
    storage: object, offset: object, size: object, stride: object, *rest: object
) -> NDArray[Any]:  # requires_grad, hooks and metadata are of no use here
    """Return the elements of a tensor: a view of its storage, checked to lie within it."""
    if not isinstance(storage, np.ndarray):
        raise ReplyError(f"a tensor's storage is {short(storage)}; valid are numbers")
    sizes, strides, (start,) = shape_from(size), shape_from(stride), shape_from((offset,))
    last = start + sum((length - 1) * step for length, step in zip(sizes, strides, strict=True))
    count = int(np.prod(sizes, dtype=np.float64))
    if count > MAX_ELEMENTS or (count and last >= len(storage)):
        raise ReplyError(f"a tensor of size {sizes} does not lie within its storage of {len(storage)} numbers")
    if not count:
        return np.empty(sizes, storage.dtype)
    steps = tuple(step * storage.itemsize for step in strides)
    return np.lib.stride_tricks.as_strided(storage[start:], sizes, steps).copy()


@lru_cache(maxsize=1)  # each step of a chunk carries the whole chunk's storage
def _storage(data: object) -> NDArray[Any]:
    return storage_from(data, load_from)


NAMES: Mapping[tuple[str, str], Callable[..., Any]] = {
    (HELPERS, "TimedAction"): TimedAction,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch.storage", "_load_from_bytes"): _storage,
    ("collections", "OrderedDict"): OrderedDict,
}


def _step(item: object) -> Step:
    content = vars(item) if isinstance(item, TimedAction) else {}
    action, stamp, number = content.get("action"), content.get("timestamp"), content.get("timestep")
    if not isinstance(action, np.ndarray) or not isinstance(stamp, int | float) or not isinstance(number, int):
        raise ReplyError(f"an action is {short(item)}; valid is a TimedAction with timestamp, timestep and a tensor")
    if not (abs(stamp) < MAX_NUMBER and abs(number) < MAX_NUMBER):  # NaN and numbers of very many digits
        raise ReplyError(f"an action's timestamp is {short(stamp)}, timestep {short(number)}; valid are below 2^63")
    return Step(float(stamp), number, action)
