# SPDX-License-Identifier: Apache-2.0
"""Joint states that lie never move a setpoint faster than the limits; in doubt the arm holds and a person decides."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from vla_controller.arm_controller import ArmController
from vla_controller.bench.false_states import KINDS
from vla_controller.bench.rig import Bench
from vla_controller.bench.streams import FALSE_STATES, run_false_states, start_pose
from vla_controller.motion.setpoint import ControllerState
from vla_controller.refusals import Refusal
from vla_core.action import ActionStep
from vla_core.robot import RobotConfig, load_robot_config

STILL = np.zeros(7)


def tell(controller: ArmController, begin: float, seconds: float, *postures: np.ndarray, rate: float = 100.0) -> float:
    """Joint states at ``rate`` from ``begin`` on, postures in turn, with ticks; returns when it ended [s]."""
    time = begin
    for k in range(round(seconds * rate)):
        time = begin + (k + 1) / rate
        q = postures[k % len(postures)]
        controller.update_joint_state(time, q, np.zeros(len(q)))
        if (k + 1) % round(rate / 20.0) == 0:
            controller.tick(time)
    return time


@pytest.fixture
def held(fr3: Bench) -> Bench:
    fr3.now = tell(fr3.controller, fr3.now, 0.2, fr3.q)
    return fr3


def test_setpoints_begin_at_rest_once_joint_states_agree(config: RobotConfig) -> None:
    controller = ArmController(config, 0.05)
    now = tell(controller, 0.0, 0.3, config.home)
    assert controller.tick(now) is None
    assert "0.5" in controller.watch.waiting()
    now = tell(controller, now, 0.3, config.home)
    setpoint = controller.tick(now)
    assert setpoint is not None
    assert np.array_equal(setpoint.q, config.home)
    assert not setpoint.qd.any()


@pytest.mark.parametrize("shift", ["zeros", "outside", "degrees", "moving", "taking turns"])
def test_setpoints_never_begin_where_an_arm_cannot_be_told_to_stand(config: RobotConfig, shift: str) -> None:
    controller, home = ArmController(config, 0.05), config.home
    sweep = [home + 0.3 * np.sin(0.06 * k) for k in range(105)]
    told = {
        "zeros": [np.zeros(len(home))],
        "outside": [config.limits.upper + 0.5],
        "degrees": [np.degrees(home)],
        "moving": sweep,
        "taking turns": [home, home + 0.2],
    }[shift]
    now = tell(controller, 0.0, 5.0, *told)
    assert controller.tick(now) is None
    assert controller.go_home(now) is not None
    now = tell(controller, now, 2.3, home)  # and the doubt lasts: longer than at an undisturbed start
    setpoint = controller.tick(now)
    assert setpoint is not None
    assert np.array_equal(setpoint.q, home)


@pytest.mark.parametrize("seconds", [0.02, 0.1, 1.0, 10.0])
@pytest.mark.parametrize("kind", ["zeros", "one_joint", "nan", "posture"])
def test_a_falsehood_of_any_duration_holds_and_passes(held: Bench, seconds: float, kind: str) -> None:
    controller, home = held.controller, held.q.copy()
    false = {
        "zeros": STILL,
        "one_joint": home + 0.5 * np.eye(7)[2],
        "nan": home * np.nan,
        "posture": home + 0.4,
    }[kind]
    now = tell(controller, held.now, seconds, false)
    refusal = controller.accept(held.chunk(ActionStep(np.array([0.0, 0.02, 0.0])), stamp=now), now)
    assert isinstance(refusal, Refusal)
    assert refusal.name == ("non_finite" if kind == "nan" else "joint_jump")
    setpoint = controller.tick(now)
    assert setpoint is not None
    assert np.array_equal(setpoint.q, home)
    assert setpoint.state == ControllerState.HOLDING
    now = tell(controller, now, 1.9, home)
    assert controller.accept(held.chunk(ActionStep(), stamp=now), now) is not None
    now = tell(controller, now, 0.3, home)
    assert controller.accept(held.chunk(ActionStep(), stamp=now), now) is None


def test_a_single_strange_joint_state_is_dropped_and_counted(held: Bench) -> None:
    controller = held.controller
    assert not controller.update_joint_state(held.now + 0.005, STILL, STILL)
    assert np.array_equal(controller.watch.q, held.q)
    now = tell(controller, held.now, 0.1, held.q)
    assert controller.log.count("joint_jump") == 1
    assert controller.accept(held.chunk(ActionStep(), stamp=now), now) is None


@pytest.mark.parametrize("rate", [20.0, 100.0, 200.0])
def test_two_publishers_that_disagree_are_held_and_named(held: Bench, rate: float) -> None:
    controller, home = held.controller, held.q.copy()
    controller.watch.publishers = ("/arm_driver", "/joint_state_publisher")
    now = tell(controller, held.now, 6.0, home, STILL, rate=rate)
    assert controller.log.count("joint_states_disagree") == 1
    refusal = controller.go_home(now)
    assert isinstance(refusal, Refusal)
    assert refusal.name == "joint_states_disagree"
    assert "/arm_driver and /joint_state_publisher" in refusal.reason
    setpoint = controller.tick(now)
    assert setpoint is not None
    assert np.array_equal(setpoint.q, home)


def test_an_arm_that_stands_elsewhere_needs_a_person_and_then_an_instruction(held: Bench) -> None:
    controller, home = held.controller, held.q.copy()
    there = home + 0.2
    now = tell(controller, held.now, 0.3, there)
    assert controller.confirm_posture(now) is not None  # not agreed for long enough
    now = tell(controller, now, 20.0, there)
    setpoint = controller.tick(now)
    assert setpoint is not None
    assert np.array_equal(setpoint.q, home)
    assert controller.withholds(now)  # the arm would leap to it
    assert controller.confirm_posture(now) is None
    setpoint = controller.tick(now)
    assert setpoint is not None
    assert np.array_equal(setpoint.q, there)
    assert not setpoint.qd.any()
    assert not controller.withholds(now)
    refusal = controller.accept(held.chunk(ActionStep(), stamp=now), now)
    assert isinstance(refusal, Refusal)
    assert refusal.name == "stopped"
    assert controller.confirm_posture(now) is not None


def test_nobody_can_confirm_a_posture_outside_the_limits(held: Bench) -> None:
    outside = held.controller.config.limits.upper + 0.3
    now = tell(held.controller, held.now, 3.0, outside)
    refusal = held.controller.confirm_posture(now)
    assert isinstance(refusal, Refusal)
    assert "fr3_joint" in refusal.reason


def test_an_arm_that_comes_back_elsewhere_after_silence_is_not_led_there(held: Bench) -> None:
    controller, home = held.controller, held.q.copy()
    for k in range(40):
        controller.tick(held.now + 0.05 * k)
    now = tell(controller, held.now + 2.0, 5.0, home + 0.25)
    setpoint = controller.tick(now)
    assert setpoint is not None
    assert np.array_equal(setpoint.q, home)
    assert controller.log.count("joint_jump") == 1


@pytest.mark.parametrize("kind", FALSE_STATES)
@pytest.mark.parametrize("lie", KINDS)
def test_no_lie_breaks_a_promise(kind: str, lie: str, make_bench: Callable[[str], Bench]) -> None:
    for seed, robot in enumerate(("fr3", "wx250s")):
        controller, rng = make_bench(robot).controller, np.random.default_rng(seed)
        bench = Bench(controller, 0.05, start=start_pose(controller.config, controller.kinematics.clearance, rng))
        assert run_false_states(bench, rng, kind, 1.0, lie).violations == ()


def test_the_account_sees_an_arm_that_moves_while_joint_states_lie() -> None:
    """Against a watch that believes everything, as it was."""
    controller = ArmController(load_robot_config("fr3"), 0.05)
    found = set()
    for seed in range(12):
        bench, rng = Bench(controller, 0.05), np.random.default_rng(seed)
        controller.watch._take = lambda stamp, q, *rest: _believe_all(controller, stamp, q)  # type: ignore[method-assign]
        result = run_false_states(bench, rng, "false_states", 1.0, "posture")
        found |= {violation.kind for violation in result.violations}
    assert "doubt" in found


def _believe_all(controller: ArmController, stamp: float, q: np.ndarray) -> object:
    from vla_controller.arm.arm_watch import Sighting

    controller.watch.stamp, controller.watch.q = stamp, q
    return Sighting()
