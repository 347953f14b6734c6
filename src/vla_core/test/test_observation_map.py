# SPDX-License-Identifier: Apache-2.0
"""Observation maps: the shipped ones, refusals that name what is valid, completion from metadata."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from vla_core.observation_map import (
    ObservationMapError,
    complete_from,
    from_dict,
    load_map,
    map_names,
    to_dict,
)
from vla_core.robot import load_robot_config

PRESETS = {"rt1", "rt2", "openpi_droid", "openpi_libero", "openpi_bridge", "openvla_bridge", "gr00t", "lerobot"}
ROBOTS = ("fr3", "wx250s")
MAP: Mapping[str, Any] = {
    "format": "vla_observation_map/1",
    "cameras": [{"name": "front", "key": "image"}, {"name": "wrist", "key": "wrist_image", "topic": "/wrist"}],
    "state": [{"key": "state", "parts": [{"part": "joints"}, {"part": "gripper"}]}],
    "prompt": "prompt",
    "action": {"mode": "ee_delta", "parts": [{"part": "translation"}, {"part": "gripper"}]},
}
GR00T: Mapping[str, Any] = {
    "video": {"modality_keys": ["exterior_image_1_left", "wrist_image_left"], "delta_indices": [-15, 0]},
    "state": {"modality_keys": ["eef_9d", "gripper_position", "joint_position"], "delta_indices": [0]},
    "action": {"modality_keys": ["eef_9d", "gripper_position", "joint_position"], "delta_indices": list(range(16))},
    "language": {"modality_keys": ["annotation.language.language_instruction"], "delta_indices": [0]},
}
LEROBOT: Mapping[str, Any] = {
    "observation.state": {"shape": [8], "names": [f"m{k}" for k in range(8)]},
    "observation.images.wrist_cam": {"shape": [3, 120, 160]},
    "observation.images.top": {"shape": [480, 640, 3]},
    "action": {"shape": [8]},
}


def changed(path: str, value: object) -> dict[str, Any]:
    """Return MAP with the value at a dotted path replaced, or removed for None."""
    data: Any = copy.deepcopy(dict(MAP))
    at = data
    *parents, last = [int(key) if key.isdigit() else key for key in path.split(".")]
    for key in parents:
        at = at[key]
    if value is None:
        del at[last]
    else:
        at[last] = value
    return dict(data)


def test_the_shipped_maps_are_complete_and_fit_every_robot() -> None:
    assert set(map_names()) == PRESETS
    for name in PRESETS:
        shipped = load_map(name)
        for robot in ROBOTS:
            bound = shipped.for_robot(load_robot_config(robot))
            assert bound.action is not None
            assert list(bound.action.arrays().values())[-1][1] == bound.action.width
        assert from_dict(to_dict(shipped), name) == shipped


def test_a_map_is_read_by_path_and_an_unknown_name_gets_the_list(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(dict(MAP)))
    assert [camera.name for camera in load_map(str(path)).cameras] == ["front", "wrist"]
    with pytest.raises(ObservationMapError, match=r"'rt3'; valid: gr00t, lerobot, .*or a .yaml path"):
        load_map("rt3")
    with pytest.raises(ObservationMapError, match="is not a file"):
        load_map(str(tmp_path / "other.yaml"))
    path.write_text("a: [")
    with pytest.raises(ObservationMapError, match="cannot read"):
        load_map(str(path))


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("format", "vla_observation_map/9", "valid is 'vla_observation_map/1'"),
        ("cameras.0.zoom", 2, r"cameras\[0\]: unknown key zoom; valid keys are name, key, topic"),
        ("robot", {}, "unknown key robot; valid keys are cameras, state"),
        ("cameras.0.name", None, "missing key name"),
        ("cameras.0.fit", "zoom", "is 'zoom'; valid are pad, crop, stretch"),
        ("cameras.0.size", [224], "height, width"),
        ("cameras.0.size", [0, 224], "from 1 to"),
        ("cameras.0.rotate", 45, "valid are 0, 90, 180, 270"),
        ("cameras.0.max_age_s", -1.0, "above 0"),
        ("cameras.0.max_age_s", "soon", "valid is a finite number"),
        ("cameras.1.name", "front", "camera names repeat: front"),
        ("cameras.1.key", "image", "keys repeat: image"),
        ("cameras.1.topic", "", "only the first camera may have none"),
        ("cameras.1.key", None, "lacks key of camera wrist"),
        ("cameras", [], "at least one"),
        ("prompt", None, "lacks prompt"),
        ("action", None, "lacks action"),
        ("state.0.parts.0.part", "wheels", "is 'wheels'; valid are joints, tool_position"),
        ("state.0.parts.0.part", "translation", "valid here are joints, tool_position"),
        ("state.0.parts.0.sense", "width", "part joints has key sense; valid keys are part, key, names, unit"),
        ("state.0.parts.1.sense", "up", "valid are open_1, closed_1"),
        ("state.0.parts.1.range", [0, 1], "it goes with sense range"),
        ("action.mode", "telepathy", "valid are ee_delta, ee_pose"),
        ("action.mode", "joint_position", "with joints, without rotation, translation"),
        ("action.mode", "ee_pose", "with rotation, translation"),
        ("action.relative_to", "home", "valid are observation, previous, commanded"),
        ("action.parts.1.part", "translation", "translation more than once"),
        ("action.parts.0.normalisation", {"low": [-1.0]}, "scale; low and high; q01 and q99; mean and std"),
        ("action.parts.0.normalisation", {"scale": [1.0, 2.0]}, "1 or 3"),
        ("action.parts.0.normalisation", {"scale": 0.0}, "span nothing"),
        ("action.parts.0.normalisation", {"low": 1.0, "high": 1.0}, "span nothing"),
        ("period_s", 0.0, "above 0"),
        ("execute", -1, "0 <= execute"),
        ("history", [-3], "end in 0"),
    ],
)
def test_a_wrong_map_is_refused_with_what_is_valid(path: str, value: object, said: str) -> None:
    with pytest.raises(ObservationMapError, match=said):
        from_dict(changed(path, value), "mine")


def test_joints_that_the_robot_lacks_are_refused_and_all_means_the_arms() -> None:
    fr3 = load_robot_config("fr3")
    bound = from_dict(MAP).for_robot(fr3)
    assert bound.state[0].parts[0].names == fr3.joints
    assert bound.state[0].width == 8
    with pytest.raises(ObservationMapError, match=r"for fr3: joints elbow are not the robot's; valid are fr3_joint1"):
        from_dict(changed("state.0.parts.0.names", ["elbow"])).for_robot(fr3)
    with pytest.raises(ObservationMapError, match="8 columns and 1 names"):
        from_dict(changed("state.0.names", ["a"])).for_robot(fr3)


def test_gr00t_is_completed_from_its_modality_config() -> None:
    template = load_map("gr00t").for_robot(load_robot_config("fr3"))
    complete = complete_from(template, GR00T)
    assert [(camera.name, camera.key) for camera in complete.cameras] == [
        ("front", "exterior_image_1_left"),
        ("wrist", "wrist_image_left"),
    ]
    assert [vector.key for vector in complete.state] == ["eef_9d", "gripper_position", "joint_position"]
    assert complete.action is not None
    assert complete.action.arrays() == {"eef_9d": (0, 9), "gripper_position": (9, 10), "joint_position": (10, 17)}
    assert (complete.history, complete.horizon, complete.execute) == ((-15, 0), 16, 15)
    assert complete.prompt == "annotation.language.language_instruction"
    other = {**GR00T, "state": {"modality_keys": ["left_hand"], "delta_indices": [0]}}
    with pytest.raises(ObservationMapError, match="state left_hand is unknown; the map knows joint_position"):
        complete_from(template, other)
    with pytest.raises(ObservationMapError, match="not gr00t's"):
        complete_from(template, LEROBOT)


def test_lerobot_is_completed_from_its_features() -> None:
    template = load_map("lerobot").for_robot(load_robot_config("fr3"))
    complete = complete_from(template, LEROBOT)
    assert [(camera.name, camera.key) for camera in complete.cameras] == [("front", "top"), ("wrist", "wrist_cam")]
    assert complete.state[0].names == tuple(f"m{k}" for k in range(8))
    with pytest.raises(ObservationMapError, match="action has 8 columns of fr3, the checkpoint 6"):
        complete_from(template, {**LEROBOT, "action": {"shape": [6]}})
    with pytest.raises(ObservationMapError, match="cameras wrist_cam, top, side are wanted; the map has front, wrist"):
        complete_from(template, {**LEROBOT, "observation.images.side": {"shape": [3, 8, 8]}})
    one = complete_from(template, {key: value for key, value in LEROBOT.items() if "wrist" not in key})
    assert [camera.name for camera in one.cameras] == ["front"]


def test_a_complete_map_stays_as_it_is() -> None:
    assert complete_from(load_map("rt1"), GR00T) == load_map("rt1")
