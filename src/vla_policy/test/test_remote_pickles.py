# SPDX-License-Identifier: Apache-2.0
"""lerobot's pickles: ours load where its classes are, its lists of actions are read, and nothing of a pickle is run."""

import io
import os
import pickle
import subprocess
import sys
import types
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from vla_policy.errors import ReplyError
from vla_policy.remote.codecs import pickles


@dataclass
class TimedAction:
    timestamp: float
    timestep: int
    action: Any


@dataclass
class RemotePolicyConfig:
    policy_type: str
    lerobot_features: dict
    device: str = "cpu"


@pytest.fixture(autouse=True)
def lerobot(monkeypatch: pytest.MonkeyPatch) -> Iterator[types.ModuleType]:
    """A module of lerobot's name with classes like its own, as the server has it."""
    module = types.ModuleType(pickles.HELPERS)
    for name in ("lerobot", "lerobot.async_inference"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, pickles.HELPERS, module)
    for kind in (TimedAction, RemotePolicyConfig):
        monkeypatch.setattr(kind, "__module__", pickles.HELPERS)
        setattr(module, kind.__name__, kind)
    return module


def actions(chunk: torch.Tensor, protocol: int = pickle.DEFAULT_PROTOCOL) -> bytes:
    """The server's reply: each step a view of the chunk."""
    return pickle.dumps([TimedAction(0.5 + index, index, row) for index, row in enumerate(chunk)], protocol)


@pytest.mark.parametrize("protocol", [3, 4, 5])
@pytest.mark.parametrize(
    "dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.uint8]
)
def test_a_chunk_of_tensors_is_read(dtype: torch.dtype, protocol: int) -> None:
    chunk = (torch.arange(42).reshape(6, 7) / 3).to(dtype)
    steps = pickles.load_actions(actions(chunk, protocol))
    assert np.array_equal([step.values for step in steps], chunk.float().numpy())
    assert [(step.timestamp, step.timestep) for step in steps] == [(0.5 + index, index) for index in range(6)]


@pytest.mark.parametrize("view", [lambda t: t.t(), lambda t: t[1:, 2:4], lambda t: t[::2], lambda t: t[:0]])
def test_views_of_a_tensor_are_read(view: Any) -> None:
    tensor = view(torch.arange(12.0).reshape(3, 4))
    (step,) = pickles.load_actions(pickle.dumps([TimedAction(0.0, 0, tensor)]))
    assert np.array_equal(step.values, tensor.numpy())


def test_ours_load_where_the_classes_are() -> None:
    image = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    features = {"observation.images.front": {"dtype": "image", "shape": (2, 2, 3), "names": ["height"]}, "raw": image}
    data = pickles.dump_instance("RemotePolicyConfig", {"policy_type": "act", "lerobot_features": features})
    loaded = pickle.loads(data)
    assert isinstance(loaded, RemotePolicyConfig)
    assert (loaded.policy_type, loaded.device) == ("act", "cpu")
    assert np.array_equal(loaded.lerobot_features["raw"], image)
    assert loaded.lerobot_features["observation.images.front"]["shape"] == (2, 2, 3)


class Calls:
    """Pickles to a call of `function`."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.call


@pytest.mark.parametrize(
    ("function", "arguments", "name"),
    [
        (os.system, ("touch {}",), r"(posix|nt)\.system"),
        (eval, ("open('{}', 'w')",), r"builtins\.eval"),
        (exec, ("open('{}', 'w')",), r"builtins\.exec"),
        (subprocess.run, (["touch", "{}"],), r"subprocess\.run"),
        (getattr, (OrderedDict, "fromkeys"), r"builtins\.getattr"),
        (torch.load, (io.BytesIO,), r"torch\.serialization\.load"),
    ],
)
def test_a_foreign_name_is_refused_by_name_and_not_run(function: Any, arguments: Any, name: str, tmp_path) -> None:
    touched = tmp_path / "touched"
    filled = [item.format(touched) if isinstance(item, str) else item for item in arguments]
    for value in (Calls(function, *filled), [TimedAction(0.0, 0, Calls(function, *filled))]):
        with pytest.raises(ReplyError, match=rf"names {name}, which was refused and not run; valid are .*TimedAction"):
            pickles.load_actions(pickle.dumps(value))
    assert not touched.exists()


def test_a_foreign_name_within_a_tensors_storage_is_refused() -> None:
    inner = pickle.dumps(Calls(os.system, "true"))
    data = pickle.dumps([TimedAction(0.0, 0, Calls(torch.storage._load_from_bytes, inner))])
    with pytest.raises(ReplyError, match=r"system, which was refused and not run; valid are none"):
        pickles.load_actions(data)


@pytest.mark.parametrize(
    "value", [[], {}, None, [1], [TimedAction(0.0, 0, [1.0])], [TimedAction("now", 0, torch.zeros(2))], torch.zeros(3)]
)
def test_another_content_is_refused(value: Any) -> None:
    with pytest.raises(ReplyError, match="valid is a"):
        pickles.load_actions(pickle.dumps(value))


@pytest.mark.parametrize(
    ("offset", "size", "stride"),
    [(0, (5,), (1,)), (3, (2,), (1,)), (0, (2, 2), (3, 1)), (0, (2**39,), (0,)), (-1, (1,), (1,)), (0, (2,), (-1,))],
)
def test_a_tensor_beyond_its_storage_is_refused(offset: int, size: Any, stride: Any) -> None:
    storage = torch.arange(4.0).untyped_storage()
    typed = torch.storage.TypedStorage(wrap_storage=storage, dtype=torch.float32, _internal=True)
    made = Calls(torch._utils._rebuild_tensor_v2, typed, offset, size, stride, False, OrderedDict())
    with pytest.raises(ReplyError, match=r"valid|within its storage"):
        pickles.load_actions(pickle.dumps([TimedAction(0.0, 0, made)]))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 10**6), st.integers(0, 255), st.booleans())
def test_damaged_pickles_are_read_or_refused(place: int, byte: int, cut: bool) -> None:
    data = bytearray(actions(torch.arange(6.0).reshape(2, 3)))
    data[place % len(data)] = byte
    with suppress(ReplyError):
        pickles.load_actions(bytes(data[: place % len(data)] if cut else data))


def test_a_claim_to_a_huge_memo_costs_nothing() -> None:
    data = b"\x80\x04]r\xff\xff\xff\xff."  # an empty list, remembered under number 2 ** 32 - 1
    with pytest.raises(ReplyError, match="valid is a list"):
        pickles.load_actions(data)
