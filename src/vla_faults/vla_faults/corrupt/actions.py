# SPDX-License-Identifier: Apache-2.0
"""Corruptions of what moves the arm: vla_msgs/ActionChunk, trajectory_msgs/JointTrajectory, instructions, poses."""

from __future__ import annotations

import copy
import random
from typing import Any

NAN = float("nan")
TOO_LARGE = 20.0
AHEAD = 1000  # instructions that were lost
MANY = 5000


def _steps(message: Any, change: Any) -> Any:
    found = copy.deepcopy(message)
    for step in found.steps:
        change(step)
    return found


def _scaled(step: Any, factor: float) -> None:
    for vector in (step.translation, step.rotation):
        vector.x, vector.y, vector.z = (factor * vector.x, factor * vector.y, factor * vector.z)
    step.joints = [factor * value for value in step.joints]


def huge_steps(message: Any, magnitude: float, rng: random.Random) -> Any:
    """Return a chunk whose steps are `magnitude` (default 20) times as large."""
    return _steps(message, lambda step: _scaled(step, magnitude or TOO_LARGE))


def reversed_steps(message: Any, magnitude: float, rng: random.Random) -> Any:
    """Return a chunk whose steps point the other way, as from a policy with another frame."""
    return _steps(message, lambda step: _scaled(step, -1.0))


def random_steps(message: Any, magnitude: float, rng: random.Random) -> Any:
    """Return a chunk with other steps each time, inside the limits of a step (5 cm): a policy gone wild."""

    def change(step: Any) -> None:
        step.translation.x, step.translation.y, step.translation.z = (rng.uniform(-0.05, 0.05) for _ in range(3))

    return _steps(message, change)


def nan_steps(message: Any, magnitude: float, rng: random.Random) -> Any:
    """Return a chunk with a NaN in each step."""

    def change(step: Any) -> None:
        step.translation.z = NAN
        step.joints = [NAN for _ in step.joints]

    return _steps(message, change)


def other_instruction(message: Any, magnitude: float, rng: random.Random) -> Any:
    """Return a chunk of another instruction."""
    found = copy.deepcopy(message)
    found.instruction_id = f"other-{message.instruction_id}"
    return found


def other_frame(message: Any, magnitude: float, rng: random.Random) -> Any:
    """Return a chunk in an unknown frame."""
    found = copy.deepcopy(message)
    found.header.frame_id = "nowhere"
    return found


def no_steps(message: Any, magnitude: float, rng: random.Random) -> Any:
    """Return a chunk without steps."""
    found = copy.deepcopy(message)
    found.steps = []
    return found


def many_steps(message: Any, magnitude: float, rng: random.Random) -> Any:
    """Return a chunk of thousands of steps."""
    found = copy.deepcopy(message)
    found.steps = [*message.steps] * (MANY // max(1, len(message.steps)))
    return found


def no_period(message: Any, magnitude: float, rng: random.Random) -> Any:
    """Return a chunk whose period is 0."""
    found = copy.deepcopy(message)
    found.period = 0.0
    return found


def biased_points(message: Any, magnitude: float, rng: random.Random) -> Any:
    """Return a trajectory whose first joint is off by `magnitude` [rad] (default 0.3)."""
    return _points(message, lambda q: [q[0] + (magnitude or 0.3), *q[1:]])


def nan_points(message: Any, magnitude: float, rng: random.Random) -> Any:
    """Return a trajectory with a NaN in each point."""
    return _points(message, lambda q: [*q[:-1], NAN])


def far_points(message: Any, magnitude: float, rng: random.Random) -> Any:
    """Return a trajectory outside the joint limits."""
    return _points(message, lambda q: [value + 7.0 for value in q])


def short_points(message: Any, magnitude: float, rng: random.Random) -> Any:
    """Return a trajectory with fewer positions than joints."""
    return _points(message, lambda q: q[:-1])


def no_points(message: Any, magnitude: float, rng: random.Random) -> Any:
    """Return a trajectory without points."""
    found = copy.deepcopy(message)
    found.points = []
    return found


def other_joints(message: Any, magnitude: float, rng: random.Random) -> Any:
    """Return a trajectory for joints of other names."""
    found = copy.deepcopy(message)
    found.joint_names = [f"other_{name}" for name in message.joint_names]
    return found


def _points(message: Any, change: Any) -> Any:
    found = copy.deepcopy(message)
    for point in found.points:
        point.positions = [float(value) for value in change(list(point.positions))] if point.positions else []
    return found


def other_text(message: Any, magnitude: float, rng: random.Random) -> Any:
    """Return an instruction with the letters of its text in another order."""
    found = copy.deepcopy(message)
    name = "text" if hasattr(found, "text") else "data"
    setattr(found, name, "".join(rng.sample(getattr(message, name), len(getattr(message, name)))))
    return found


def unknown_kind(message: Any, magnitude: float, rng: random.Random) -> Any:
    """Return an instruction of an unknown kind, which is to be a stop."""
    found = copy.deepcopy(message)
    found.kind = 200
    return found


def sequence_back(message: Any, magnitude: float, rng: random.Random) -> Any:
    """Return a sequence of 1: overtaken, or of another writer."""
    found = copy.deepcopy(message)
    found.sequence = 1
    return found


def sequence_ahead(message: Any, magnitude: float, rng: random.Random) -> Any:
    """Return a sequence far ahead: an instruction was lost."""
    found = copy.deepcopy(message)
    found.sequence = message.sequence + AHEAD
    return found


def moved_pose(message: Any, magnitude: float, rng: random.Random) -> Any:
    """Return a pose `magnitude` [m] (default 0.1) aside."""
    found = copy.deepcopy(message)
    found.pose.position.y += magnitude or 0.1
    return found


def nan_pose(message: Any, magnitude: float, rng: random.Random) -> Any:
    """Return a pose with a NaN."""
    found = copy.deepcopy(message)
    found.pose.position.x = NAN
    return found


def no_state(message: Any, magnitude: float, rng: random.Random) -> Any:
    """Return an observation without joints and tool pose."""
    found = copy.deepcopy(message)
    found.joint_names, found.joint_position, found.joint_velocity = [], [], []
    found.ee_pose_valid = False
    return found


def nan_state(message: Any, magnitude: float, rng: random.Random) -> Any:
    """Return an observation whose joints and tool pose are NaN."""
    found = copy.deepcopy(message)
    found.joint_position = [NAN for _ in message.joint_position]
    found.ee_pose.position.x = NAN
    return found


def no_images(message: Any, magnitude: float, rng: random.Random) -> Any:
    """Return an observation without pictures."""
    found = copy.deepcopy(message)
    found.images = []
    return found


def black_images(message: Any, magnitude: float, rng: random.Random) -> Any:
    """Return an observation with black pictures."""
    found = copy.deepcopy(message)
    for camera in found.images:
        camera.image.data = bytes(len(camera.image.data))
    return found
