# SPDX-License-Identifier: Apache-2.0
"""The measurements of the benchmark, each against data whose answer is known."""

import numpy as np
import pytest
from vla_core.robot import load_robot_config
from vla_hardware.bench.motion import account, load_paths, rest_after, speeds_of, tracking

LIMITS = load_robot_config("fr3").arm_limits


@pytest.mark.parametrize("lag", [0.0, 0.03, 0.1])
def test_lag_and_error_of_a_late_noisy_arm(lag) -> None:
    rng = np.random.default_rng(0)
    t = np.arange(0.0, 20.0, 0.01)

    def curve(s):
        return np.stack([0.3 * np.sin(1.3 * s + k) for k in range(7)], axis=1)

    measured = curve(t - lag) + rng.normal(0.0, 1e-3, (len(t), 7))
    found, rms = tracking(t, curve(t), t, measured)
    assert found == pytest.approx(lag, abs=0.003)
    assert rms == pytest.approx(1e-3, rel=0.1)


def commands(velocity, number=None):
    n = len(velocity)
    number = np.arange(n) if number is None else number
    return np.column_stack([np.arange(n) * 1e-3, velocity, np.zeros(n), number])


def test_commands_inside_every_limit_count_none_over() -> None:
    t = np.arange(0.0, 5.0, 1e-3)
    found = account(commands(np.stack([0.5 * np.sin(3.0 * t)] * 7, axis=1)), LIMITS)
    assert (found.samples, found.over) == (5000, 0)
    assert found.acceleration == pytest.approx(0.15, rel=0.01)


@pytest.mark.parametrize("step", [0.02, 0.5, 2.5])
def test_a_step_counts_and_a_missing_packet_does_not(step) -> None:
    velocity = np.zeros((100, 7))
    velocity[50:, 3] = step
    assert account(commands(velocity), LIMITS).over > 0
    number = np.arange(100)
    number[50:] += 40  # what happened in between was not seen
    found = account(commands(np.minimum(velocity, 1.2), number), LIMITS)
    assert (found.over, found.missed) == (0, 40)
    velocity = np.minimum(velocity, 1.2)
    velocity[[53, 90], 3] -= 0.1  # beside the missed states, and far from them
    found = account(commands(velocity, number), LIMITS)
    assert found.over > found.over_apart > 0


def test_the_time_to_rest_is_that_of_the_last_motion() -> None:
    t = np.arange(0.0, 3.0, 0.01)
    speeds = np.where(t < 1.3, 0.5, 0.0)
    assert rest_after(t, speeds, 1.0, 2.0, 0.01) == pytest.approx(0.29, abs=0.011)
    assert rest_after(t, speeds, 1.5, 2.0, 0.01) == 0.0


def test_joints_that_tremble_are_at_rest() -> None:
    t = np.arange(0.0, 2.0, 0.005)
    q = np.where(t < 1.0, t, 1.0)[:, None] + 2e-4 * np.sign(np.sin(900.0 * t))[:, None]
    speeds = speeds_of(t, q, 10)
    assert len(speeds) == len(t)
    assert speeds[t < 0.9] == pytest.approx(1.0, abs=0.02)
    assert speeds[t > 1.1].max() < 0.02


def test_the_recorded_motions_go_from_rest_to_rest_inside_the_robots_limits() -> None:
    robot = load_robot_config("fr3")
    for path in load_paths():
        way = path.after(robot.home + 0.1)
        assert np.all(np.diff(way.times) > 0)
        assert np.abs(way.velocities[[0, -1]]).max() == 0.0
        assert np.all(np.abs(way.velocities) <= robot.limits.velocity)
        assert np.all(np.abs(way.accelerations) <= robot.limits.acceleration)
