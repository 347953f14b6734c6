# SPDX-License-Identifier: Apache-2.0
"""Files that are read: robot, map, URDF, words, mappings, checkpoints, data sets, bags, recordings."""

from __future__ import annotations

import json
import struct
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from safetensors import SafetensorError
from safetensors.numpy import load, save
from vla_core.config_file import find_config
from vla_core.observation_map.errors import ObservationMapError
from vla_core.observation_map.presets import load_map, map_names
from vla_core.observation_map.reading import from_dict
from vla_core.robot import RobotConfigError, read_robot_config
from vla_core.settings import SettingsError
from vla_core.urdf.text import reduced_urdf
from vla_core.urdf.tree import UrdfError, parse_urdf
from vla_operator.teleop.mapping import read_mapping
from vla_operator.words import read_words
from vla_policy.errors import ActionSpaceError, CheckpointError, ConfigurationError
from vla_policy.replay.recording import read_recording
from vla_policy.rt1.checkpoint import read_info
from vla_policy.rt1.config import ConfigError, RT1Config
from vla_policy.rt2.decoding.memory import tensor_headers
from vla_policy.rt2.model.checkpoint import RT2Info
from vla_recorder.bag.bag import Recorded, Topic
from vla_recorder.bag.reader import open_bag
from vla_recorder.bag.recovery import recover
from vla_recorder.bag.writer import BagWriter
from vla_recorder.errors import RecordingError
from vla_training.data.lerobot.listing import open_listing
from vla_training.data.lerobot.schema import DatasetError

from vla_trust.fuzz.target import PromiseError, Target

URDF = """<robot name="a"><link name="base"/><link name="arm">
<visual><geometry><box size="1 1 1"/></geometry></visual></link>
<link name="tip"/><joint name="j1" type="revolute"><parent link="base"/><child link="arm"/>
<origin xyz="0 0 1" rpy="0 1 0"/>
<axis xyz="0 0 1"/><limit lower="-1" upper="1" velocity="2" effort="10"/></joint><joint name="j2" type="prismatic">
<parent link="arm"/><child link="tip"/><limit lower="0" upper="0.1" velocity="1" effort="1"/>
<mimic joint="j1" multiplier="2"/>
</joint></robot>"""


def targets() -> tuple[Target, ...]:
    """Return the targets of this module."""
    return (
        Target("observation-map", _maps, from_dict, (ObservationMapError,)),
        Target(
            "observation-map-file", _map_texts, _file("map.yaml", lambda p: load_map(str(p))), (ObservationMapError,)
        ),
        Target("robot-file", _robots, _robot, (RobotConfigError,)),
        Target("urdf", lambda: [URDF], _urdf, (UrdfError,)),
        Target("halt-words", _words, _file("words.yaml", read_words), (SettingsError,)),
        Target("teleop-mapping", _mappings, read_mapping, (SettingsError,)),
        Target("rt1-config", lambda: [_rt1()["network"]], RT1Config.from_json, (ConfigError,)),
        Target(
            "rt1-checkpoint", lambda: [json.dumps(_rt1())], _file("config.json", lambda p: read_info(p.parent)), _READ
        ),
        Target("rt2-checkpoint", lambda: [_rt2()], RT2Info.from_dict, (ConfigurationError, ActionSpaceError)),
        Target("safetensors", _tensors, _safetensors, (SafetensorError,)),
        Target("safetensors-header", _tensors, _file("w.safetensors", tensor_headers), _READ),
        Target("policy-recording", _recordings, _file("r.jsonl", read_recording), _READ),
        Target("lerobot-info", lambda: [_lerobot()[0]], _listing(0), (DatasetError,)),
        Target("lerobot-episodes", lambda: [_lerobot()[1]], _listing(1), (DatasetError,)),
        Target("bag-metadata", lambda: [_bag()[0]], _bag_file(0), (RecordingError,)),
        Target("bag-mcap", lambda: [_bag()[1]], _bag_file(1), (RecordingError,)),
        Target("bag-recovery", lambda: [_bag()[1]], _recovery, (RecordingError,)),
    )


_READ = (CheckpointError,)


@cache
def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="fuzz-"))


def _file(name: str, read: Callable[[Path], object]) -> Callable[[str | bytes], object]:
    """Return a reader of contents that writes them to a file first."""

    def reader(content: str | bytes) -> object:
        path = _folder() / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
        return read(path)

    return reader


def _maps() -> list[Any]:
    return [yaml.safe_load(text) for text in _map_texts()]


def _map_texts() -> list[str]:
    return [find_config("maps", "map", name).read_text(encoding="utf-8") for name in map_names()]


def _robots() -> list[Any]:
    names = ("fr3", "wx250s", "ur5e")
    return [yaml.safe_load(find_config("robots", "robot", name).read_text(encoding="utf-8")) for name in names]


def _robot(data: Any) -> None:
    config = read_robot_config(data, _folder())
    limits = config.limits
    numbers = np.concatenate(
        [limits.lower, limits.upper, limits.velocity, limits.acceleration, limits.jerk, config.home]
    )
    scalars = (config.gripper.min_width, config.gripper.max_width, config.gripper.speed, *_speeds(config))
    if not np.isfinite(numbers).all() or not np.isfinite(scalars).all() or not config.joints:
        raise PromiseError("a robot without joints or with a number that is not finite was accepted")
    if len(set(config.joints)) != len(config.joints):
        raise PromiseError(f"joints {config.joints} repeat")


def _speeds(config: Any) -> tuple[float, ...]:
    collision = config.collision
    margins = (
        () if collision is None else (collision.margin, collision.table_height, *(s.radius for s in collision.shapes))
    )
    return (config.tool_speed.linear, config.tool_speed.angular, *margins)


def _urdf(text: str) -> None:
    tree = parse_urdf(text)
    for joint in tree.joints:
        if not np.isfinite(joint.transform(0.1).position).all():
            raise PromiseError(f"joint {joint.name} was accepted with a place that is not finite")
    reduced_urdf(text, tree.root)


def _words() -> list[str]:
    import vla_operator.words as package

    return [Path(package.__file__).with_name("halt_words.yaml").read_text(encoding="utf-8"), "halt: {en: [freeze]}\n"]


def _mappings() -> list[Any]:
    names = ("keyboard", "gamepad")
    return [yaml.safe_load(find_config("teleop", "mapping", name).read_text(encoding="utf-8")) for name in names]


def _weights(policy: str) -> Path:
    import vla_policy

    return next((Path(vla_policy.__file__).parent / policy / "weights").iterdir())


@cache
def _rt1() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((_weights("rt1") / "config.json").read_text(encoding="utf-8"))
    return content


@cache
def _rt2() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((_weights("rt2") / "rt2.json").read_text(encoding="utf-8"))
    return content


def _tensors() -> list[bytes]:
    arrays: dict[str, np.ndarray[Any, Any]] = {
        "a": np.ones((2, 3), np.float32),
        "b.weight": np.arange(4, dtype=np.int64),
    }
    return [save(arrays), save(arrays, {"format": "pt"})]


def _safetensors(data: bytes) -> None:
    (length,) = struct.unpack("<Q", data[:8].ljust(8, b"\0"))
    for name, array in load(data).items():
        if array.nbytes > len(data):
            raise PromiseError(f"{name} has {array.nbytes} bytes of {len(data)}, header {length}")


def _recordings() -> list[str]:
    step = {"translation": [0.0, 0.01, 0.0], "rotation_vector": [0, 0, 0], "gripper": None, "base": [0, 0, 0]}
    step |= {"terminate": False, "joints": None, "pose": None}
    chunk = {"observation_stamp": 1.0, "mode": "ee_delta", "delta_reference": "observed", "period_s": 0.2}
    chunk |= {"steps": [step, step], "tokens": None, "token_probabilities": None, "dimension_names": []}
    chunk |= {"joint_names": [], "plan": ""}
    from vla_policy.replay.recording import FORMAT

    lines = [{"format": FORMAT}, {"instruction": "pick up the red block"}, chunk]
    return ["\n".join(map(json.dumps, lines)) + "\n"]


@cache
def _lerobot() -> tuple[Any, Any]:
    from vla_training.data.recorded.testing import FR3_ROBOT, write_v21

    folder = write_v21(_folder() / "set", FR3_ROBOT, dtype="image")
    info = json.loads((folder / "meta/info.json").read_text(encoding="utf-8"))
    return info, (folder / "meta/episodes.jsonl").read_text(encoding="utf-8")


def _listing(part: int) -> Callable[[Any], None]:
    def read(content: Any) -> None:
        _lerobot()
        folder = _folder() / "set"
        paths = (folder / "meta/info.json", folder / "meta/episodes.jsonl")
        whole = [path.read_bytes() for path in paths]
        text = content if isinstance(content, str) else json.dumps(content, default=str)
        try:
            paths[part].write_bytes(text.encode("utf-8", "surrogatepass"))
            open_listing(folder)
        finally:
            paths[part].write_bytes(whole[part])

    return read


@cache
def _bag() -> tuple[str, bytes]:
    folder = _folder() / "episode_000000"
    qos = ({"history": "keep_last", "depth": 1, "reliability": "best_effort"},)
    topic = Topic("/said", "std_msgs/msg/String", "string data", "RIHS01_0", qos)
    writer = BagWriter(folder, {"task": "t"}, "jazzy")
    for number in range(4):
        writer.write(Recorded(topic, 100 + number, 90, struct.pack("<BBHI", 0, 1, 0, 3) + b"ab\0"))
    writer.close({"success": "true"})
    return (folder / "metadata.yaml").read_text(encoding="utf-8"), next(folder.glob("*.mcap")).read_bytes()


def _bag_file(part: int) -> Callable[[Any], None]:
    def read(content: Any) -> None:
        folder = _folder() / "bag"
        folder.mkdir(exist_ok=True)
        metadata, data = _bag()
        text = content if part == 0 else metadata
        (folder / "metadata.yaml").write_bytes(text.encode("utf-8", "surrogatepass"))
        (folder / "episode_000000_0.mcap").write_bytes(content if part == 1 else data)
        bag = open_bag(folder)
        for message in bag.messages(list(bag.types)):
            str(message.content.data)

    return read


def _recovery(content: bytes) -> None:
    with tempfile.TemporaryDirectory(dir=_folder()) as name:
        folder = Path(name) / "episode_000001"
        folder.mkdir()
        (folder / "episode_000001_0.mcap").write_bytes(content)
        recover(folder)
