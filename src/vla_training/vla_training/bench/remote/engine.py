# SPDX-License-Identifier: Apache-2.0
"""One action of the shipped policies by the compiled engine against PyTorch's eager execution, on the same pictures."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from vla_core.observation_map.observation_map import ObservationMap
from vla_perception.image.resizing import resize_to
from vla_policy.engine.choice import EAGER, OPENVINO
from vla_policy.engine.openvino import available
from vla_policy.policy import Observation, Policy, PolicyConfig
from vla_policy.registry import create
from vla_policy.serve.command import bound_map
from vla_sim.world.camera import Camera
from vla_sim.world.world import World

from vla_training.bench.remote.robots import INSTRUCTION

if TYPE_CHECKING:
    from matplotlib.axes import Axes

POLICIES = ("rt1", "rt2")
WARM_UP = 5
SWAY = 0.1  # [rad] of each joint
TOOL, DOWN = np.array([0.5, 0.0, 0.3]), np.array([1.0, 0.0, 0.0, 0.0])  # pose of the tool that is told


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return `engine`: medians [ms] of one action, one thread, of both engines in turn, and their ratio.

    `same_actions` is the share of observations for which both chose the same tokens.
    """
    if not available():
        print("  OpenVINO is not installed: pip install --no-deps -r requirements/engine.txt")
        return {}
    torch.set_num_threads(1)
    found: dict[str, Any] = {}
    for name in POLICIES:
        row = _compare(name, arguments)
        found |= {f"{name}_{key}": value for key, value in row.items()}
        print(
            f"  {name}: eager {row['eager_ms']:.1f} ms, compiled {row['compiled_ms']:.1f} ms: {row['ratio']:.2f} times "
            f"faster; the same action {100 * row['same_actions']:.1f} % of the time",
            flush=True,
        )
    return {"engine": found}


def _compare(name: str, arguments: argparse.Namespace) -> dict[str, float]:
    policies = [
        create(name, PolicyConfig(robot=arguments.robot, threads=1, options={"engine": engine}))
        for engine in (EAGER, OPENVINO)
    ]
    for policy in policies:
        policy.reset(INSTRUCTION)
    spent: tuple[list[float], list[float]] = ([], [])
    same = []
    observations = _drive(bound_map("", name, arguments.robot), policies[0], arguments.robot)
    for index, observation in zip(range(WARM_UP + arguments.rounds), observations, strict=False):
        tokens = []
        for policy, times in zip(policies, spent, strict=True):
            begun = time.perf_counter()
            tokens.append(np.array(policy.infer(observation).tokens))
            if index >= WARM_UP:
                times.append(1e3 * (time.perf_counter() - begun))
        same.append(np.array_equal(tokens[0], tokens[1]))
    for policy in policies:
        policy.close()
    eager, compiled = (statistics.median(times) for times in spent)
    return {
        "eager_ms": round(eager, 2),
        "compiled_ms": round(compiled, 2),
        "ratio": round(eager / compiled, 3),
        "same_actions": sum(same) / len(same),
    }


def _drive(observation_map: ObservationMap, policy: Policy, robot: str) -> Iterator[Observation]:
    """Yield what is seen while the arm sways about its home."""
    reference = observation_map.reference
    size = reference.height_width or policy.image_size or (128, 160)
    world = World(robot)
    home = np.array(world.robot.home)
    with closing(Camera(world)) as camera:
        for index in count():
            world.reset_robot(home + SWAY * np.sin(0.3 * index + np.arange(len(home))))
            names, position, _ = world.joint_state()
            yield Observation(
                stamp=index * observation_map.period_s,
                images={reference.name: resize_to(camera.render(), size)},
                joint_names=names,
                joint_position=position,
                ee_position=TOOL,
                ee_quaternion_xyzw=DOWN,
                gripper_width=world.gripper_width,
            )


def draw(axes: Axes, result: Mapping[str, Any]) -> None:
    """Draw the time of one action by policy and engine."""
    engine = result["engine"]
    for index, key in enumerate(("eager_ms", "compiled_ms")):
        values = [engine[f"{name}_{key}"] for name in POLICIES]
        bars = axes.bar([i + 0.4 * index for i in range(len(POLICIES))], values, 0.38, label=key.removesuffix("_ms"))
        axes.bar_label(bars, fmt="%.3g", fontsize=8)
    axes.set_xticks([i + 0.2 for i in range(len(POLICIES))], POLICIES)
    axes.set(ylabel="one action, one thread [ms]", title="engines")
    axes.legend()
