# SPDX-License-Identifier: Apache-2.0
"""The page on observation maps names every key and value, every map that ships, and its example works."""

from __future__ import annotations

import re
from dataclasses import fields
from enum import Enum
from pathlib import Path

import numpy as np
import pytest
from vla_core.action import ActionMode
from vla_core.observation_map.camera import Camera, Fit, Interpolation, Transport
from vla_core.observation_map.observation_map import Action, ActionFrame, ObservationMap, Relative, StateVector
from vla_core.observation_map.part import GripperSense, Normalisation, Part, PartKind, RotationForm, Unit
from vla_core.observation_map.presets import map_names
from vla_policy.policy import Observation

PAGE = (Path(__file__).parents[3] / "docs" / "observation-map.md").read_text(encoding="utf-8")
NOT_KEYS = {"cameras", "state", "action", "robot", "name"}  # sections, and what is not in the file


@pytest.mark.parametrize("kind", [Camera, StateVector, Action, Part, Normalisation, ObservationMap])
def test_every_key_is_on_the_page(kind: type) -> None:
    for name in {item.name for item in fields(kind)} - NOT_KEYS:
        assert re.search(rf"`([\w\[\].]+\.)?{name}`", PAGE), f"{kind.__name__}.{name}"


@pytest.mark.parametrize(
    "kind",
    [Fit, Interpolation, Transport, Unit, RotationForm, GripperSense, PartKind, Relative, ActionFrame, ActionMode],
)
def test_every_value_is_on_the_page(kind: type[Enum]) -> None:
    for member in kind:
        name = member.value if isinstance(member.value, str) else member.name.lower()
        assert f"`{name}`" in PAGE, name


def test_every_map_that_ships_is_on_the_page() -> None:
    assert all(f"| `{name}` |" in PAGE for name in map_names())


def test_the_example_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    mine, code = (re.search(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL) for kind in ("yaml", "python"))
    assert mine
    assert code
    Path("my_arm.yaml").write_text(mine.group(1), encoding="utf-8")
    names: dict[str, object] = {}
    exec(compile(code.group(1), "example", "exec"), names)
    image = np.zeros((256, 256, 3), np.uint8)
    joints = tuple(f"fr3_joint{k}" for k in range(1, 8))
    pose = np.array([0.5, 0.0, 0.3]), np.array([1.0, 0.0, 0.0, 0.0])
    seen = Observation(1.0, {"scene": image, "wrist": image}, joints, np.full(7, np.pi / 2), *pose, 0.04)
    given: dict[str, np.ndarray] = {}

    def model(inputs: dict[str, np.ndarray]) -> np.ndarray:
        given.update(inputs)
        return np.tile([1.0, 0, 0, 0, 0, 0, 0.9], (10, 1))

    chunk = names["infer"](model, seen, "go")  # type: ignore[operator]
    np.testing.assert_allclose(given["state"], [90.0] * 7 + [0.5], rtol=1e-6)
    assert len(chunk.steps) == 5
    np.testing.assert_allclose(chunk.steps[4].pose.position, [0.55, 0.0, 0.3])
    assert chunk.steps[0].gripper == 0.0
