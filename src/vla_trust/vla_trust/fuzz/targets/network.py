# SPDX-License-Identifier: Apache-2.0
"""What comes over the network: replies of policy servers, requests of their clients, messages of the console's page."""

from __future__ import annotations

import io
import json
import pickle
import struct
from typing import Any, cast

import numpy as np
from vla_console.access import Access
from vla_console.commands import read_command
from vla_console.errors import ConsoleError
from vla_core.observation_map.presets import load_map
from vla_core.robot import load_robot_config
from vla_policy.errors import ObservationError, ReplyError
from vla_policy.remote.codecs import gr00t, json_arrays, openpi, pickles, protobuf
from vla_policy.remote.codecs.arrays import actions_from
from vla_policy.remote.codecs.torch_storage import MAGIC, VERSION
from vla_policy.serve.access import Tokens
from vla_policy.serve.requests import read_request

from vla_trust.fuzz.mutate import Mutator
from vla_trust.fuzz.target import PromiseError, Target

ACTIONS = np.linspace(-1.0, 1.0, 14, dtype=np.float32).reshape(2, 7)


def targets() -> tuple[Target, ...]:
    """Return the targets of this module."""
    return (
        Target("openpi", _openpi_examples, _openpi, (ReplyError,)),
        Target(
            "openpi-data", lambda: [{"actions": ACTIONS.tolist(), "timing": {"ms": 3.5}}], _openpi_data, (ReplyError,)
        ),
        Target("gr00t", _gr00t_examples, _gr00t, (ReplyError,)),
        Target("act", _act_examples, _act, (ReplyError,)),
        Target("lerobot-pickle", _pickle_examples, pickles.load_actions, (ReplyError,), _mutated_pickle),
        Target("lerobot-protobuf", lambda: [protobuf.encode({1: 3, 2: b"abc"})], protobuf.decode, (ReplyError,)),
        Target("serve-request", _request_examples, _request(), (ReplyError, ObservationError)),
        Target("console-message", _console_examples, read_command, (ConsoleError,)),
        Target("console-sound", lambda: [struct.pack("<II", 16000, 1) + bytes(640)], read_command, (ConsoleError,)),
        Target("console-host", lambda: ["localhost:8600", "127.0.0.1"], _host, (_Refused,)),
        Target("tokens", lambda: ["Api-Key 0123456789abcdef"], _token, (_Refused,)),
    )


class _Refused(Exception):
    """A request that was refused."""


def _openpi_examples() -> list[bytes]:
    metadata = {"vla": {"version": 1, "robot": "fr3"}}
    scalars = {"actions": ACTIONS, "n": np.float32(2.0), "server_timing": {"infer_ms": 12.5}}
    return [openpi.pack(scalars), openpi.pack({**metadata, "actions": ACTIONS})]


def _openpi(data: bytes) -> None:
    value = openpi.unpack(data)
    if not isinstance(value, dict) or "actions" not in value:
        raise ReplyError("no actions")
    _sound(actions_from(value["actions"]))


def _openpi_data(value: Any) -> None:
    actions = value.get("actions") if isinstance(value, dict) else value
    _sound(actions_from(actions))


def _sound(actions: Any) -> None:
    if not np.isfinite(actions).all() or actions.ndim != 2 or actions.dtype != np.float32:
        raise PromiseError(f"actions {actions.dtype} {actions.shape} were accepted")


def _gr00t_examples() -> list[bytes]:
    modality = {"video": {"__ModalityConfig_class__": True, "as_json": {"modality_keys": ["front"]}}}
    reply = [{"arm": ACTIONS[None]}, {}]
    return [gr00t.pack(reply, "npy"), gr00t.pack(reply, "numpy"), gr00t.pack(modality, "npy")]


def _gr00t(data: bytes) -> None:
    value = gr00t.unpack(data)
    if isinstance(value, list) and value and isinstance(value[0], dict):
        for item in value[0].values():
            _sound(actions_from(item[0] if isinstance(item, np.ndarray) and item.ndim == 3 else item))


def _act_examples() -> list[str]:
    return [json_arrays.dumps({"actions": ACTIONS}), json.dumps(ACTIONS.tolist()), json_arrays.dumps([ACTIONS[0]])]


def _act(text: str) -> None:
    value = json_arrays.loads(text)
    _sound(actions_from(value.get("actions") if isinstance(value, dict) else value))


def _pickle_examples() -> list[bytes]:
    """Return what lerobot's server sends: a list of TimedAction whose tensors share a storage."""
    return [_timed_actions(count) for count in (1, 3)]


def _timed_actions(count: int) -> bytes:
    file, steps = io.BytesIO(), []
    for number in range(count):
        tensor = _Call("torch._utils", "_rebuild_tensor_v2", (_storage(), 2 * number, (2,), (1,), False, None))
        steps.append(_Made("TimedAction", {"timestamp": 1.5, "timestep": number, "action": tensor}))
    _Writer(file, protocol=3).dump(steps)
    return file.getvalue()


def _storage() -> _Call:
    file = io.BytesIO()
    for part in (MAGIC, VERSION, {"little_endian": True}):
        pickle.dump(part, file, 2)
    identifier = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x08NtQ."
    file.write(b"\x80\x02" + identifier)
    pickle.dump(["0"], file, 2)
    file.write(struct.pack("<q8f", 8, *range(8)))
    return _Call("torch.storage", "_load_from_bytes", (file.getvalue(),))


class _Call:
    """What a pickle writes as the call of a named function."""

    def __init__(self, module: str, name: str, arguments: tuple[Any, ...]) -> None:
        self.module, self.name, self.arguments = module, name, arguments


class _Made:
    """What a pickle writes as an instance of lerobot's class `name`."""

    def __init__(self, name: str, state: dict[str, Any]) -> None:
        self.name, self.state = name, state


class _Writer(pickle._Pickler):
    """Writes _Call and _Made under the names that they stand for."""

    def save(self, obj: Any, save_persistent_id: bool = True) -> None:
        """Write an object."""
        base: Any = super()
        save, write = base.save, cast(Any, self).write
        if isinstance(obj, _Call):
            write(f"c{obj.module}\n{obj.name}\n".encode())
            save(obj.arguments)
            write(pickle.REDUCE)
        elif isinstance(obj, _Made):
            write(f"c{pickles.HELPERS}\n{obj.name}\n".encode() + pickle.EMPTY_TUPLE + pickle.NEWOBJ)
            save(obj.state)
            write(pickle.BUILD)
        else:
            save(obj, save_persistent_id)


OPCODES = b"()]}.012KMJGXUTBCNIiIlLaespqrhjRcbQPtuodSV\x80\x81\x85\x86\x87\x88\x89\x8a\x8b"
BITS = (
    b"cos\nsystem\n(S'id'\ntR",
    b"]q\x01(h\x01h\x01h\x01e",
    b"\x8b\xff\xff\xff\x7f",
    b"cbuiltins\neval\n",
    b"2" * 40,
    b"(t" * 40,
)


def _mutated_pickle(mutator: Mutator, data: bytes) -> bytes:
    """Return changed bytes, now and then with opcodes in place of bytes or with a hostile piece put in."""
    rng = mutator.rng
    changed = bytearray(mutator.bytes(data) if rng.random() < 0.6 else data)
    for _ in range(rng.randrange(1, 5)):
        if changed and rng.random() < 0.6:
            changed[rng.randrange(len(changed))] = rng.choice(OPCODES)
        elif rng.random() < 0.3:
            place = rng.randrange(len(changed) + 1)
            changed[place:place] = rng.choice(BITS)
    return bytes(changed)


def _request_examples() -> list[bytes]:
    map_ = load_map("rt1").for_robot(load_robot_config("fr3"))
    sizes = {camera.key: camera.height_width or (48, 64) for camera in map_.cameras}
    images = {key: np.zeros((*size, 3), np.uint8) for key, size in sizes.items()}
    states = {vector.key: np.full(vector.width, 0.5, np.float32) for vector in map_.state}
    full = {**images, **states, map_.prompt: "pick up the red block"}
    files = {key: _jpeg(size) for key, size in sizes.items()}
    return [openpi.pack({**full, **files, "vla/stamp": 12.5, "vla/reset": True}), openpi.pack({**full, **files})]


def _jpeg(size: tuple[int, int]) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", size[::-1], (90, 120, 40)).save(file, "JPEG")
    return file.getvalue()


def _request() -> Any:
    bound: list[Any] = []

    def read(data: bytes) -> None:
        if not bound:
            bound.append(load_map("rt1").for_robot(load_robot_config("fr3")))
        read_request(data, bound[0], 0.0)

    return read


def _console_examples() -> list[str]:
    drive = {"do": "drive", "held": True, "linear": [0.1, 0, -1], "angular": [0, 0, 0.5], "gripper": 0.5, "at": 1.5}
    rows: list[dict[str, Any]] = [
        {"do": "hello", "token": "0123456789abcdef"},
        {"do": "say", "text": "pick up the red block", "id": 4},
        {"do": "record_start", "text": "task"},
        {"do": "seen", "camera": "front"},
        drive,
    ]
    return [json.dumps(row) for row in rows]


def _host(host: str) -> None:
    if Access((), (), True).refusal(host, f"http://{host}"):
        raise _Refused


def _token(header: str) -> None:
    if not Tokens((b"0123456789abcdef",)).admit(header):
        raise _Refused
    if "0123456789abcdef" not in header:
        raise PromiseError(f"the header {header!r} was admitted")
