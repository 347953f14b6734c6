# SPDX-License-Identifier: Apache-2.0
"""How a motion of the fingers ends: at the goal, around an object, or without being seen."""

from __future__ import annotations

import math

import pytest
from vla_controller.motion.fingers import FingerOutcome, FingerRun, Fingers

GOAL, SPEED = 0.0, 0.05  # [m], [m/s]


def play(block: float = 0.0, start: float = 0.04, seconds: float = 3.0, seen: bool = True) -> FingerRun:
    fingers, run, travel = Fingers(), FingerRun(GOAL, 0.0, (start - GOAL) / SPEED), start
    for k in range(round(seconds / 0.01)):
        now = 0.01 * k
        travel = max(block, GOAL, travel - 0.01 * SPEED)
        if seen:
            fingers.update(now, travel)
        run.judge(fingers, now)
    return run


def test_fingers_arrive() -> None:
    run = play()
    assert run.outcome == FingerOutcome("reached", reached=True)


@pytest.mark.parametrize("block", [0.005, 0.02, 0.0399])
def test_fingers_close_around_an_object(block: float) -> None:
    run = play(block)
    assert run.outcome is not None
    assert run.outcome.stalled
    assert not run.outcome.reached


def test_a_goal_where_the_fingers_are_is_reached_at_once() -> None:
    run = play(start=GOAL, seconds=0.05)
    assert run.outcome == FingerOutcome("reached", reached=True)


def test_fingers_that_nobody_sees_end_neither_way() -> None:
    assert play(seen=False, seconds=1.0).outcome is None
    run = play(seen=False)
    assert run.outcome is not None
    assert not run.outcome.stalled
    assert not run.outcome.reached


def test_the_first_outcome_stays() -> None:
    run = FingerRun(0.0, 0.0, 1.0)
    run.end(FingerOutcome("cancelled", cancelled=True))
    run.end(FingerOutcome("reached", reached=True))
    assert run.outcome is not None
    assert run.outcome.cancelled


def test_motion_needs_fresh_finite_measurements() -> None:
    fingers = Fingers()
    assert not fingers.moving(0.0)
    for k in range(20):
        fingers.update(0.01 * k, 0.04 - 0.0005 * k)
    assert fingers.moving(0.19)
    assert fingers.travel(0.19) == pytest.approx(0.0305)
    fingers.update(0.2, math.nan)
    assert fingers.travel(0.2) == pytest.approx(0.0305)
    assert not fingers.moving(5.0)
    assert fingers.travel(5.0) is None
    for k in range(20):
        fingers.update(0.2 + 0.01 * k, 0.03 + 1e-5 * (k % 2))  # noise
    assert not fingers.moving(0.39)
    fingers.update(0.1, 0.02)  # the clock went back
    assert fingers.travel(0.1) == pytest.approx(0.02)
