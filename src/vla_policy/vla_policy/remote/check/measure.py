# SPDX-License-Identifier: Apache-2.0
"""Observations of a robot at rest, sent to a policy server, and what came back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from vla_core.action import ActionChunk, ActionMode
from vla_core.observation_map.observation_map import ObservationMap
from vla_core.robot import RobotConfig

from vla_policy.policy import Observation, Policy

PERCENTILES = (50, 90, 99)


@dataclass(frozen=True, slots=True)
class Measured:
    """What a server answered: its chunks, and the time from observation to chunk [s], the first one apart."""

    chunks: tuple[ActionChunk, ...]
    first_s: float
    later_s: tuple[float, ...]

    def latencies(self) -> dict[int, float]:
        """Return the percentiles of the later times [s]; empty for a single observation."""
        return {p: float(np.percentile(self.later_s, p)) for p in PERCENTILES} if self.later_s else {}


def measure(policy: Policy, observations: Iterator[Observation], instruction: str) -> Measured:
    """Send the observations one after the other. Raises PolicyError."""
    policy.reset(instruction)
    chunks: list[ActionChunk] = []
    times: list[float] = []
    for observation in observations:
        started = time.perf_counter()
        chunks.append(policy.infer(observation))
        times.append(time.perf_counter() - started)
    return Measured(tuple(chunks), times[0], tuple(times[1:]))


def observations(
    observation_map: ObservationMap, robot: RobotConfig, count: int, sizes: dict[str, tuple[int, int]]
) -> Iterator[Observation]:
    """Yield observations of the robot at home, with images of random numbers, the same ones in every run.

    sizes: (height, width) by camera.
    """
    numbers = np.random.default_rng(0)
    middle = 0.5 * (robot.workspace_lower + robot.workspace_upper)
    gripper = robot.gripper
    for index in range(count):
        images = {
            name: numbers.integers(0, 256, (height, width, 3), np.uint8) for name, (height, width) in sizes.items()
        }
        yield Observation(
            index * observation_map.period_s,
            images,
            robot.joints,
            robot.home,
            middle,
            np.array([1.0, 0.0, 0.0, 0.0]),  # the tool points down
            gripper.max_width,
        )


def ranges(chunks: tuple[ActionChunk, ...]) -> Iterator[tuple[str, str, NDArray[np.float64]]]:
    """Yield name, unit and values of what the steps of the chunks say."""
    steps = [step for chunk in chunks for step in chunk.steps]
    mode = ActionMode(chunks[0].mode)
    if mode is ActionMode.EE_DELTA:
        yield "translation", "m", np.array([step.translation for step in steps])
        yield "rotation", "rad", np.array([step.rotation_vector for step in steps])
    elif mode is ActionMode.EE_POSE:
        yield "position", "m", np.array([step.pose.position for step in steps if step.pose is not None])
    else:
        unit = "rad/s" if mode is ActionMode.JOINT_VELOCITY else "rad"
        yield "joints", unit, np.array([step.joints for step in steps])
    yield "gripper", "0 closed, 1 open", np.array([[step.gripper] for step in steps])
