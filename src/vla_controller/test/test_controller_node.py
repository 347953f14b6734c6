# SPDX-License-Identifier: Apache-2.0
"""The controller node in a process of its own, over DDS, with an arm that follows and with faults."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

import numpy as np
import pytest
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from vla_core.robot import load_robot_config

pytestmark = pytest.mark.node
CONFIG = load_robot_config("fr3")
JOINTS = list(CONFIG.joints)


def test_a_working_life(arm, start: Callable) -> None:
    """Wait, hold, follow, refuse, stop, be stopped for emergencies, lose the joint states, and end in mid-motion."""
    arm.sending = False
    controller = start()
    arm.wait(lambda: len(arm.statuses) > 5, 20.0)
    assert {status.state for status in arm.statuses} == {0}
    assert arm.commands == []

    arm.sending = True
    arm.wait_for_state(1)
    assert list(arm.commands[0].points[-1].positions) == CONFIG.home.tolist()
    assert arm.commands[0].joint_names == JOINTS
    assert arm.poses[-1].header.frame_id == CONFIG.base_frame
    assert (arm.poses[-1].header.stamp.sec, arm.poses[-1].header.stamp.nanosec) in arm.stamps

    arm.chunk((0.0, 0.05, 0.0))
    arm.wait(lambda: any(r.name == "wrong_instruction" for r in arm.statuses[-1].refusals))
    arm.instruct("a")
    before = arm.statuses[-1].ee_setpoint.position
    arm.chunk((0.0, 0.05, 0.0), (0.0, 0.0, 0.03))
    arm.wait_for_state(2)
    arm.wait_for_state(1)
    after = arm.statuses[-1].ee_setpoint.position
    assert (after.x - before.x, after.y - before.y, after.z - before.z) == pytest.approx((0.0, 0.05, 0.03), abs=1e-3)
    assert arm.statuses[-1].chunks_accepted == 1
    assert arm.statuses[-1].stamp_to_setpoint == pytest.approx(0.05, abs=0.15)
    assert arm.grippers[-1].points[0].positions[0] == pytest.approx(0.04)

    arm.chunk((float("nan"), 0.0, 0.0))
    arm.wait(lambda: any(r.name == "non_finite" and r.reason for r in arm.statuses[-1].refusals))
    arm.wait(lambda: arm.speed() == 0.0, 1.0)

    for halt in (lambda: arm.instruct("s", stop=True), lambda: arm.call("estop")):
        arm.instruct("b")
        arm.chunk(*[(0.0, -0.04, 0.0)] * 5, instruction="b")
        arm.wait(lambda: arm.speed() > 0.1)
        halt()
        arm.wait(lambda: arm.speed() == 0.0, 1.0)
    arm.wait(lambda: any(s.level == b"\x02" for d in arm.diagnostics for s in d.status if "controller" in s.name))
    arm.chunk((0.0, 0.02, 0.0), instruction="b")
    arm.wait(lambda: any(r.name == "estopped" for r in arm.statuses[-1].refusals))
    assert not arm.call("home").success
    assert arm.call("reset_estop").success
    assert arm.call("home").success
    arm.wait(lambda: np.allclose(arm.q, CONFIG.home, atol=1e-4) and arm.speed() == 0.0)

    arm.sending = False
    arm.wait(lambda: any(r.name == "joint_state_stale" for r in arm.statuses[-1].refusals))
    arm.sending = True
    time.sleep(0.2)

    arm.instruct("c")
    arm.chunk(*[(0.0, 0.04, 0.0)] * 6, instruction="c")
    arm.wait(lambda: arm.speed() > 0.1)
    asked = time.monotonic()
    controller.process.send_signal(signal.SIGTERM)
    assert controller.process.wait(5.0) == 0, controller.output
    assert time.monotonic() - asked < 2.0
    assert "Traceback" not in controller.output
    arm.wait(lambda: arm.speed() == 0.0, 1.0)
    arm.assert_within_limits(20.0)


def test_a_hundred_setpoints_a_second_and_sigint(arm, start: Callable) -> None:
    controller = start("rate:=100.0")
    arm.wait(lambda: len(arm.commands) > 250, 30.0)
    assert np.median(np.diff(arm.arrivals[50:])) == pytest.approx(0.01, abs=0.002)
    controller.process.send_signal(signal.SIGINT)
    assert controller.process.wait(5.0) == 0, controller.output
    assert "Traceback" not in controller.output


def test_a_second_controller_is_refused_and_the_first_goes_on(arm, start: Callable) -> None:
    first = start()
    arm.wait_for_state(1)
    second = start()
    assert second.process.wait(20.0) == 2
    assert "the arm on /fr3_arm_controller/joint_trajectory" in second.output
    assert "Traceback" not in second.output
    assert first.process.poll() is None
    arm.wait_for_state(1)


def test_two_controllers_that_start_together_do_not_both_move_the_arm(arm, start: Callable) -> None:
    """Whatever their names: either one has given way, or both hold until a person ends one."""
    both = [start(), start()]
    arm.wait(lambda: arm.commands)
    time.sleep(2.5)
    alive = [controller for controller in both if controller.process.poll() is None]
    assert all(controller.process.poll() in (None, 2) for controller in both)
    if len(alive) == 2:
        arm.instruct("a")
        arm.chunk((0.0, 0.05, 0.0))
        arm.wait(lambda: any(r.name == "other_publisher" for r in arm.statuses[-1].refusals))
        assert all(np.allclose(command.points[0].positions, CONFIG.home) for command in arm.commands)


@pytest.mark.parametrize(
    ("parameter", "said"),
    [
        ("robot_config:=ur5", "unknown robot 'ur5'; valid: fr3, panda, ur5e, wx250s"),
        ("rate:=1000.0", "rate"),
        ("latency_budget:=soon", "latency_budget"),
    ],
)
def test_a_wrong_parameter_is_refused_in_one_line(start: Callable, parameter: str, said: str) -> None:
    controller = start(parameter)
    assert controller.process.wait(20.0) == 2
    assert said in controller.output
    assert "Traceback" not in controller.output


def test_deactivated_in_motion_it_brakes_and_holds_until_a_new_instruction(arm, start: Callable) -> None:
    controller = start()
    arm.wait_for_state(1)
    arm.instruct("a")
    arm.chunk(*[(0.0, -0.04, 0.0)] * 5)
    arm.wait(lambda: arm.speed() > 0.1)
    assert change_state(arm, Transition.TRANSITION_DEACTIVATE), controller.output
    arm.wait(lambda: arm.statuses[-1].state == 1)
    arm.assert_within_limits(20.0)
    arm.wait(lambda: arm.speed() == 0.0, 1.0)
    sent = len(arm.commands)
    arm.instruct("b")  # while it is inactive: not acted upon later either
    arm.chunk((0.0, 0.02, 0.0), instruction="b")
    assert not arm.call("home").success
    time.sleep(0.5)
    arm.wait(lambda: any(r.name == "inactive" for r in arm.statuses[-1].refusals))
    assert len(arm.commands) == sent

    assert change_state(arm, Transition.TRANSITION_ACTIVATE), controller.output
    arm.wait(lambda: len(arm.commands) > sent + 5)
    before = refused(arm)
    arm.chunk((0.0, 0.02, 0.0), instruction="b")  # the instruction came while it was inactive
    arm.wait(lambda: refused(arm) > before)
    assert arm.speed() == 0.0
    accepted = arm.statuses[-1].chunks_accepted
    arm.instruct("c")
    arm.chunk((0.0, 0.02, 0.0), instruction="c")
    arm.wait(lambda: arm.statuses[-1].chunks_accepted == accepted + 1)
    arm.wait_for_state(2)


def refused(arm) -> int:
    return sum(refusal.count for refusal in arm.statuses[-1].refusals)


def change_state(arm, transition: int) -> bool:
    client = arm.node.create_client(ChangeState, "/controller_node/change_state")
    arm.wait(client.service_is_ready)
    future = client.call_async(ChangeState.Request(transition=Transition(id=transition)))
    arm.wait(future.done)
    return future.result().success
