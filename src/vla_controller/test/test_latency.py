# SPDX-License-Identifier: Apache-2.0
"""The latency budget: a fast policy gets the settings', a slow one is followed more slowly instead of in stops."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from vla_controller.bench.rig import Bench
from vla_controller.intake.latency import LatencyBudget, Timing
from vla_controller.settings import LATENCIES, ControllerSettings
from vla_core.action import ActionMode, ActionStep
from vla_core.rotation import Pose
from vla_core.settings import SettingsError

STEP = np.array([0.0, 0.012, 0.0])  # [m]


def drive(bench: Bench, delays: list[float], steps: int = 1) -> tuple[np.ndarray, list[str]]:
    """Tool speed (t,) [m/s] under a policy that computes one chunk after the other, and names of refusals.

    Its chunks ask for the same motion again and again, from where the arm was seen.
    """
    places, refused = [bench.pose.position], []
    for delay in delays:
        chunk = bench.chunk(*[ActionStep(STEP)] * steps)
        for _ in range(round(delay / bench.dt)):
            bench.tick()
            places.append(bench.pose.position)
        refusal = bench.controller.accept(chunk, bench.now)
        refused += [refusal.name] if refusal else []
    return np.linalg.norm(np.diff(places, axis=0), axis=1) / bench.dt, refused


@pytest.mark.parametrize("steps", [1, 2, 10])
def test_a_fast_policy_gets_what_the_settings_say(steps: int) -> None:
    rng, budget = np.random.default_rng(0), LatencyBudget(ControllerSettings())
    for k in range(40):
        budget.note(0.2 * k, 0.2 * k + rng.uniform(0.05, 0.24), 0.2 * steps)
        assert budget.timing(0.2, steps) == Timing(0.3, 0.2)


def test_a_fixed_budget_stays() -> None:
    budget = LatencyBudget(ControllerSettings(latency="fixed", latency_budget=0.28))
    for k in range(20):
        budget.note(float(k), k + 1.0, 0.2)
        assert budget.timing(0.2, 1) == Timing(0.28, 0.2)
    assert budget.delay == pytest.approx(1.0)


@pytest.mark.parametrize(("delay", "steps"), [(0.4, 1), (0.6, 1), (1.0, 1), (1.0, 3), (0.6, 2)])
def test_a_slow_policy_moves_the_arm_without_stops(fr3: Bench, fixed: Bench, delay: float, steps: int) -> None:
    speed, refused = drive(fr3, [delay] * 12, steps)
    moving = speed[round(5.0 * delay / fr3.dt) :]
    assert refused == []
    assert moving.min() > 0.5 * moving.mean() > 0.0
    assert fr3.violations() == []
    before, late = drive(fixed, [delay] * 12, steps)
    stood = before[round(5.0 * delay / fixed.dt) :]
    assert "all_steps_late" in late or stood.min() < 0.1 * stood.mean()


def test_a_chunk_that_lasts_until_the_next_one_is_followed_at_its_own_pace(fr3: Bench) -> None:
    drive(fr3, [0.6] * 6, steps=10)
    assert fr3.controller.intake.pace == 1.0
    assert fr3.controller.intake.timing.budget == 0.3


def test_one_late_chunk_changes_nothing_and_a_slow_policy_counts_at_once() -> None:
    budget = LatencyBudget(ControllerSettings())
    for k in range(16):
        budget.note(0.2 * k, 0.2 * k + (0.9 if k == 9 else 0.1), 0.2)
    assert budget.timing(0.2, 1) == Timing(0.3, 0.2)
    times = [20.0 + 0.6 * k for k in range(4)]
    budgets = []
    for stamp in times:
        budget.note(stamp, stamp + 0.6, 0.2)
        budgets.append(budget.timing(0.2, 1).budget)
    assert budgets[-1] > 1.2
    for k in range(200):  # and fast again: it falls slowly, to what the settings say
        budget.note(30.0 + 0.2 * k, 30.1 + 0.2 * k, 0.2)
        budgets.append(budget.timing(0.2, 1).budget)
    assert np.all(np.diff(budgets[5:]) >= -1.2 * 0.2)
    assert budgets[-1] == 0.3


def test_a_camera_that_pauses_is_not_a_slow_policy() -> None:
    budget, stamp = LatencyBudget(ControllerSettings()), 0.0
    for pause in [0.2] * 6 + [1.8, 0.2, 0.2, 1.9, 0.2]:
        stamp += pause
        budget.note(stamp, stamp + 0.1, 0.2)
        assert budget.timing(0.2, 1) == Timing(0.3, 0.2)


@pytest.mark.parametrize("seed", range(4))
def test_the_reference_never_jumps(make_bench: Callable[[str], Bench], seed: int) -> None:
    rng, bench = np.random.default_rng(seed), make_bench("fr3")
    delays = np.repeat(rng.uniform(0.05, 1.3, 6), 3) + rng.uniform(0.0, 0.1, 18)
    drive(bench, delays.tolist(), int(rng.integers(1, 5)))
    wanted = np.array([row.reference for row in bench.setpoints])
    assert np.all(np.abs(np.diff(wanted, axis=0)) <= bench.dt * bench.controller.config.limits.velocity)
    assert bench.violations() == []
    due = bench.controller.motion.last_due
    bench.tick(80)
    assert bench.rest_after(due) <= 0.5 + 1e-6


def test_velocities_are_slowed(fr3: Bench) -> None:
    start, speed = fr3.q.copy(), np.array([0.2, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    for _ in range(6):
        chunk = fr3.chunk(ActionStep(joints=speed), mode=ActionMode.JOINT_VELOCITY)
        fr3.tick(12)
        assert fr3.controller.accept(chunk, fr3.now) is None
    moving = np.array([row.qd[0] for row in fr3.setpoints])[24:]
    assert 0.3 * moving.mean() < moving.min() <= moving.max() < 0.2
    fr3.tick(60)
    assert 0.1 < fr3.q[0] - start[0] < 6 * 0.2 * 0.2


def test_a_chunk_is_late_altogether_only_with_a_fixed_budget(fr3: Bench, fixed: Bench) -> None:
    refusal = fixed.send(ActionStep(), stamp=fixed.now - 0.9)
    assert refusal is not None
    assert refusal.name == "all_steps_late"
    start = fr3.pose
    assert fr3.send(ActionStep(STEP), stamp=fr3.now - 0.9) is None
    fr3.tick(80)
    assert np.allclose(fr3.pose.position, start.position + STEP, atol=2e-4)


def test_poses_of_a_slow_policy_are_reached(fr3: Bench) -> None:
    goal = Pose(fr3.pose.position + 5.0 * STEP, fr3.pose.quaternion)
    for _ in range(4):
        chunk = fr3.chunk(ActionStep(pose=goal), mode=ActionMode.EE_POSE)
        fr3.tick(20)
        assert fr3.controller.accept(chunk, fr3.now) is None
    fr3.tick(40)
    assert np.allclose(fr3.pose.position, goal.position, atol=2e-4)


def test_wrong_settings_are_refused_with_what_is_valid() -> None:
    with pytest.raises(SettingsError, match=", ".join(LATENCIES)):
        ControllerSettings(latency="fast")
    with pytest.raises(SettingsError, match=r"latency_budget_most is 0\.2; valid: at least latency_budget, 0\.3"):
        ControllerSettings(latency_budget_most=0.2)
