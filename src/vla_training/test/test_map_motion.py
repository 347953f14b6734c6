# SPDX-License-Identifier: Apache-2.0
"""What policies of the shipped maps answer, moves the arm through the controller's own gate and limits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from vla_core.observation_map.observation_map import ObservationMap
from vla_core.observation_map.part import Part, PartKind
from vla_core.observation_map.presets import load_map, map_names
from vla_core.robot import load_robot_config
from vla_policy.mapping.actions import decode_actions
from vla_policy.policy import Observation
from vla_sim.world.world import World
from vla_training.evaluate.lockstep import Lockstep

FR3 = load_robot_config("fr3")
STEPS = 15


@pytest.fixture(scope="module")
def lockstep() -> Lockstep:
    return Lockstep(World("fr3"))


def bound(name: str) -> ObservationMap:
    """Return a map with made-up keys where it is completed from metadata."""
    found = load_map(name).for_robot(FR3)
    cameras = tuple(replace(camera, key=camera.key or camera.name) for camera in found.cameras)
    return replace(found, complete_from="", prompt=found.prompt or "prompt", cameras=cameras)


def columns(part: Part, seen: Observation, absolute: bool) -> np.ndarray:
    """Return what moves the arm a little, a step: the first joint turns, or the tool rises; the gripper is open."""
    rows = np.zeros((STEPS, part.width))
    scale = 1.0 if part.normalisation is None else float(part.normalisation.gain[0])
    if part.part is PartKind.JOINTS:
        rows[:, 0] = 0.2 / scale
        if absolute:
            rows = np.linspace(0.0, 0.1, STEPS)[:, None] * np.eye(part.width)[0] + seen.positions(part.names)
    elif part.part is PartKind.TRANSLATION:
        rows[:, 2] = 0.003 / scale
    elif part.part is PartKind.GRIPPER:
        rows[:] = -1.0 if part.sense.value == "signed_close" else 0.0 if part.sense.value == "closed_1" else 1.0
    return rows


@pytest.mark.parametrize("name", map_names())
def test_the_controller_takes_chunks_of_every_map_that_ships(lockstep: Lockstep, name: str) -> None:
    mapped = bound(name)
    assert mapped.action is not None
    lockstep.forget()
    lockstep.start()
    start = lockstep.observe(image=False)
    for _ in range(5):
        seen = lockstep.observe(image=False)
        absolute = mapped.action.mode.name == "JOINT_POSITION"
        numbers = np.concatenate([columns(part, seen, absolute) for part in mapped.action.parts], axis=1)
        chunk = decode_actions(mapped, numbers[: mapped.horizon or None], seen)
        assert lockstep.apply(seen, chunk) is None
    end = lockstep.observe(image=False)
    if mapped.joint_names:
        assert end.joint_position[0] - start.joint_position[0] > 0.01
    else:
        assert end.ee_position[2] - start.ee_position[2] > 0.004
    assert end.gripper_width > 0.07
