# SPDX-License-Identifier: Apache-2.0
"""A person takes the arm from a policy and gives it back, over DDS with the controller's own process."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from vla_core.robot import load_robot_config

pytestmark = pytest.mark.node
CONFIG = load_robot_config("fr3")
STATE_HOLDING, STATE_TRACKING = 1, 2
OWNER_NONE, OWNER_POLICY, OWNER_PERSON = 0, 1, 3


class Pad:
    """A device that sends at 40 Hz what it was told last, in a thread."""

    def __init__(self, arm: Any, device: str = "pad") -> None:
        from vla_msgs.msg import TeleopCommand

        self._arm = arm
        self._publisher = arm.node.create_publisher(TeleopCommand, "vla/teleop_command", 10)
        arm.wait(lambda: self._publisher.get_subscription_count() >= 1)
        self._message = TeleopCommand(device=device, drive=TeleopCommand.DRIVE_TWIST, gripper=math.nan)
        self._message.header.frame_id = CONFIG.base_frame
        self.sending, self._sent = True, 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def do(self, held: bool, x: float = 0.0, y: float = 0.0, z: float = 0.0, frame: str = CONFIG.base_frame) -> None:
        from geometry_msgs.msg import Twist, Vector3

        self._message.twist = Twist(linear=Vector3(x=x, y=y, z=z))
        self._message.header.frame_id = frame
        self._message.held = held
        sent = self._sent
        self._arm.wait(lambda: self._sent > sent + 1 or not self.sending)

    def _run(self) -> None:
        while self.sending:
            self._message.header.stamp = self._arm.node.get_clock().now().to_msg()
            self._publisher.publish(self._message)
            self._sent += 1
            time.sleep(0.025)

    def stop(self) -> None:
        self.sending = False
        self._thread.join(2.0)


@pytest.fixture
def pads(arm: Any) -> Iterator[Callable[..., Pad]]:
    made: list[Pad] = []

    def make(**values: Any) -> Pad:
        made.append(Pad(arm, **values))
        return made[-1]

    yield make
    for pad in made:
        pad.stop()


def last(arm: Any) -> Any:
    return arm.statuses[-1]


def count(arm: Any, name: str) -> int:
    return sum(refusal.count for refusal in last(arm).refusals if refusal.name == name)


def place(arm: Any) -> np.ndarray:
    p = last(arm).ee_setpoint.position
    return np.array([p.x, p.y, p.z])


def test_a_person_takes_the_arm_from_the_policy_and_gives_it_back(
    arm: Any, start: Callable[..., Any], pads: Callable[..., Pad]
) -> None:
    start("robot_config:=fr3")
    arm.wait_for_state(STATE_HOLDING)
    pad = pads()
    pad.do(held=False)
    arm.instruct("a")
    arm.wait(lambda: last(arm).owner == OWNER_POLICY)
    arm.chunk((0.0, 0.03, 0.0), (0.0, 0.03, 0.0), (0.0, 0.03, 0.0))
    arm.wait(lambda: last(arm).state == STATE_TRACKING)
    pad.do(held=True, z=0.1)
    arm.wait(lambda: last(arm).owner == OWNER_PERSON)
    assert last(arm).intervention
    assert last(arm).device == "pad"
    height = place(arm)[2]
    arm.wait(lambda: place(arm)[2] > height + 0.05)
    arm.chunk((0.0, 0.03, 0.0))
    arm.wait(lambda: count(arm, "teleoperated") >= 1)
    pad.do(held=False)
    arm.wait(lambda: last(arm).owner == OWNER_POLICY)
    assert not last(arm).intervention
    arm.wait_for_state(STATE_HOLDING)
    accepted, side = last(arm).chunks_accepted, place(arm)[1]
    arm.chunk((0.0, 0.03, 0.0), (0.0, 0.03, 0.0))
    arm.wait(lambda: last(arm).chunks_accepted > accepted)
    arm.wait(lambda: place(arm)[1] > side + 0.02)
    arm.assert_within_limits(20.0)


def test_a_device_that_falls_silent_or_sends_nonsense_stops_the_arm_by_name(
    arm: Any, start: Callable[..., Any], pads: Callable[..., Pad]
) -> None:
    start("robot_config:=fr3")
    arm.wait_for_state(STATE_HOLDING)
    pad, other = pads(), pads(device="mouse")
    for device in (pad, other):
        device.do(held=False)
    pad.do(held=True, y=0.1)
    arm.wait(lambda: last(arm).state == STATE_TRACKING)
    other.do(held=True, y=-0.1)
    arm.wait(lambda: count(arm, "other_device") >= 1)
    other.do(held=False)
    pad.do(held=True, y=0.1, frame="nowhere")
    arm.wait(lambda: count(arm, "wrong_frame") >= 1)
    arm.wait_for_state(STATE_HOLDING)
    pad.do(held=True, y=math.nan)
    arm.wait(lambda: count(arm, "non_finite") >= 1)
    pad.do(held=False)
    arm.wait(lambda: last(arm).owner == OWNER_NONE)
    pad.do(held=True, y=0.1)
    arm.wait(lambda: last(arm).state == STATE_TRACKING)
    pad.stop()
    arm.wait(lambda: count(arm, "teleop_silent") == 1)
    arm.wait_for_state(STATE_HOLDING)
    assert "'pad'" in last(arm).reason
    assert last(arm).owner == OWNER_NONE
    arm.assert_within_limits(20.0)


def test_the_emergency_stop_holds_for_a_person_too(
    arm: Any, start: Callable[..., Any], pads: Callable[..., Pad]
) -> None:
    start("robot_config:=fr3")
    arm.wait_for_state(STATE_HOLDING)
    pad = pads()
    pad.do(held=False)
    pad.do(held=True, y=0.1)
    arm.wait(lambda: last(arm).state == STATE_TRACKING)
    assert arm.call("estop").success
    arm.wait(lambda: count(arm, "deadman_closed") >= 1)
    pad.do(held=False)
    pad.do(held=True, y=0.1)
    arm.wait(lambda: count(arm, "estopped") >= 1)
    stands = arm.q.copy()
    assert arm.call("reset_estop").success
    time.sleep(0.3)  # still held: nothing moves
    assert np.max(np.abs(arm.q - stands)) < 1e-3
    pad.do(held=False)
    arm.wait(lambda: last(arm).owner == OWNER_NONE)
    pad.do(held=True, y=0.1)
    arm.wait(lambda: last(arm).state == STATE_TRACKING)
