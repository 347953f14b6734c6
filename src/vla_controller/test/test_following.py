# SPDX-License-Identifier: Apache-2.0
"""An arm that does not follow is held at once, and the setpoint does not run ahead of it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from vla_controller.bench.rig import Bench
from vla_controller.motion.setpoint import ControllerState
from vla_controller.motion.stream import CommandStream
from vla_core.action import ActionStep

STEPS = [ActionStep(np.array([0.03, 0.04, -0.02]))] * 3


def refused(bench: Bench) -> set[str]:
    return {name for name, _, _ in bench.controller.log.entries()}


def drive(bench: Bench, arm, ticks: int = 60) -> float:
    """Let an arm that is at `arm(k)` do what it likes; returns how far the setpoint came from it [rad]."""
    far = 0.0
    for k in range(ticks):
        bench.q = arm(k)
        far = max(far, float(np.max(np.abs(bench.tick().q - arm(k)))))
    return far


@pytest.mark.parametrize("pace", [0.2, 0.5])
def test_an_arm_that_refuses_every_command_is_noticed(fr3: Bench, pace: float) -> None:
    home = fr3.q.copy()
    fr3.send(*STEPS, period=pace)
    begun = len(fr3.setpoints)
    assert drive(fr3, lambda k: home) < 0.2
    moves = [bool(np.any(row.qd)) for row in fr3.setpoints[begun:]]
    rested = moves.index(False, moves.index(True))
    assert (rested - moves.index(True)) * fr3.dt < 0.6
    assert "not_following" in refused(fr3)
    assert "stands still" in fr3.setpoints[-1].reason
    assert "done" not in fr3.setpoints[-1].reason
    assert fr3.setpoints[-1].state == ControllerState.HOLDING
    assert np.allclose(fr3.setpoints[-1].q, home, atol=0.01)
    assert fr3.violations() == []


def test_the_gap_is_never_sent_as_one_short_motion(fr3: Bench) -> None:
    home, limits = fr3.q.copy(), fr3.controller.config.limits
    fr3.send(*STEPS, period=0.2)
    drive(fr3, lambda k: home)
    stream = CommandStream(limits, fr3.dt)
    ends = [(row.stamp, stream.command(row, row.stamp)) for row in fr3.setpoints]
    for (_, before), (now, command) in itertools.pairwise(ends):
        gap = np.abs(before.motion.q - command.motion.q[0]).min(axis=0)
        if command.start > now:
            assert np.all(gap <= limits.velocity * (command.start - now))


def test_an_arm_that_is_blocked_on_the_way_is_noticed(fr3: Bench) -> None:
    fr3.send(*STEPS, period=0.2)
    fr3.tick(10)
    stuck = fr3.q.copy()
    assert np.any(fr3.setpoints[-1].qd)
    assert drive(fr3, lambda k: stuck) < 0.3
    assert "not_following" in refused(fr3)
    assert np.allclose(fr3.setpoints[-1].q, stuck, atol=0.01)
    assert fr3.violations() == []


@pytest.mark.parametrize("late", [1, 2])
def test_an_arm_that_is_late_is_not_held(fr3: Bench, late: int) -> None:
    fr3.send(*STEPS, period=0.2)
    for _ in range(40):
        rows = fr3.setpoints
        fr3.q = rows[max(0, len(rows) - 1 - late)].q + 0.01
        fr3.tick()
    assert "not_following" not in refused(fr3)
    assert fr3.setpoints[-1].reason == "the last step is done"
