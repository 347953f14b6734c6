# SPDX-License-Identifier: Apache-2.0
"""Late policies in lockstep: how motion is judged, chunks of the expert, inference longer than a period."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from vla_controller.arm_controller import ArmController
from vla_controller.bench.rig import Bench
from vla_controller.motion.setpoint import Setpoint
from vla_core.robot import load_robot_config
from vla_sim.expert.policy import ExpertPolicy
from vla_sim.task.task import Task
from vla_sim.world.layout import sample_layout
from vla_sim.world.world import World
from vla_training.bench.remote.latency import judge
from vla_training.evaluate.lockstep import Lockstep, LockstepSettings

DT = 0.05


@pytest.fixture(scope="module")
def row() -> Setpoint:
    return Bench(ArmController(load_robot_config("fr3"), DT), DT).setpoints[0]


def made(row: Setpoint, speeds: np.ndarray, ticks: int) -> tuple[list[Setpoint], np.ndarray]:
    """Setpoints with a chunk every ``ticks``, and the tool's places at ``speeds`` (t,) [m/s]."""
    rows = [replace(row, chunk_sequence=1 + k // ticks) for k in range(len(speeds) + 1)]
    return rows, np.cumsum(np.concatenate(([0.0], speeds)))[:, None] * DT * np.array([1.0, 0.0, 0.0])


def test_stop_and_go_is_told_from_a_steady_speed(row: Setpoint) -> None:
    steady = judge(*made(row, np.full(120, 0.1), 12), DT)
    assert steady.stops == 0.0
    assert steady.stutter == pytest.approx(0.0, abs=1e-9)
    halting = judge(*made(row, np.tile(np.repeat([0.1, 0.0], 6), 10), 12), DT)
    assert halting.stops == pytest.approx(1.0, abs=0.15)
    assert halting.stutter == pytest.approx(1.0, abs=0.15)
    assert judge(*made(row, np.zeros(120), 12), DT).stutter == 0.0


def test_the_experts_chunks_begin_with_its_step_and_go_on_to_the_end() -> None:
    world = World("fr3")
    task = Task("pick", "red block")
    sample_layout(world.robot, task, np.random.default_rng(0)).apply(world)
    lockstep = Lockstep(world)
    lockstep.start()
    seen = lockstep.observe(scene=True, image=False)
    one, many = ExpertPolicy("fr3", 0.2), ExpertPolicy("fr3", 0.2, 40)
    for policy in (one, many):
        policy.reset(task.text())
    first, chunk = one.infer(seen).steps[0], many.infer(seen)
    assert np.array_equal(first.translation, chunk.steps[0].translation)
    assert len(one.infer(seen).steps) == 1
    assert chunk.steps[-1].terminate
    assert {step.gripper for step in chunk.steps} == {0.0, 1.0}  # open on the way, closed with the block between


def test_inference_longer_than_a_period_makes_the_period_longer() -> None:
    world = World("fr3")
    sample_layout(world.robot, Task("pick", "red block"), np.random.default_rng(0)).apply(world)
    expert = ExpertPolicy("fr3", 0.2)
    expert.reset("pick up the red block")
    for inference, passed in ((0.1, 0.2), (0.2, 0.2), (0.6, 0.6)):
        lockstep = Lockstep(world, settings=LockstepSettings(inference_time=inference))
        lockstep.start()
        began, seen = world.time, lockstep.observe(scene=True, image=False)
        assert lockstep.apply(seen, expert.infer(seen)) is None
        assert world.time - began == pytest.approx(passed)
        assert lockstep.controller.chunks_accepted == 1
