# SPDX-License-Identifier: Apache-2.0
"""Goals of the fingers: closing grasps with force, opening moves, the latest goal wins, what is held stays held."""

from types import SimpleNamespace

import pytest
from vla_core.settings import SettingsError
from vla_hardware.franka.gripper import HandLoop
from vla_hardware.settings import FrankaSettings


class Motion:
    def __init__(self) -> None:
        self.done = False

    def wait(self, timeout: float) -> bool:
        return self.done


class TestHand:
    __test__ = False

    def __init__(self) -> None:
        self.state = SimpleNamespace(width=0.08, is_grasped=False)
        self.calls: list[tuple] = []
        self.motion = Motion()

    def move_async(self, width, speed):
        self.calls.append(("move", width, speed))
        self.motion = Motion()
        return self.motion

    def grasp_async(self, width, speed, force, inner, outer):
        self.calls.append(("grasp", width, speed, force))
        self.motion = Motion()
        return self.motion

    def homing_async(self):
        self.calls.append(("homing",))
        return Motion()

    def stop(self) -> bool:
        self.calls.append(("stop",))
        return True


@pytest.fixture
def rig():
    hand = TestHand()
    return hand, HandLoop(hand, 0.1, 20.0)


def test_closing_is_a_grasp_with_force_and_opening_a_move(rig) -> None:
    hand, loop = rig
    loop.go(0.0)
    loop.tick()
    hand.state.width, hand.motion.done = 0.04, True
    loop.go(0.08, force=30.0)
    loop.tick()
    assert hand.calls == [("grasp", 0.0, 0.1, 20.0), ("move", 0.08, 0.1)]


def test_the_latest_goal_stops_the_motion_before(rig) -> None:
    hand, loop = rig
    loop.go(0.0)
    loop.tick()
    hand.state.width = 0.05
    loop.go(0.03)
    loop.go(0.02, force=35.0)
    loop.tick()
    assert hand.calls[1:] == [("stop",), ("grasp", 0.02, 0.1, 35.0)]


def test_a_goal_where_the_fingers_are_stops_them_and_leaves_a_grasp_alone(rig) -> None:
    hand, loop = rig
    loop.go(0.0)
    loop.tick()
    hand.state.width = 0.04
    loop.go(0.0401)
    loop.tick()
    assert hand.calls[-1] == ("stop",)
    loop.go(0.0)
    loop.tick()
    hand.motion.done = True
    count = len(hand.calls)
    loop.go(0.0401)
    loop.tick()
    assert len(hand.calls) == count


@pytest.mark.parametrize(
    "wrong",
    [
        {"collision_torques": (20.0,) * 6},
        {"collision_forces": (25.0, 25.0, 25.0, 25.0, 25.0, -1.0)},
        {"payload_center": (0.0, float("nan"), 0.0)},
        {"payload_mass": 9.0},
        {"realtime": "maybe"},
        {"rate": 1000.0},
    ],
)
def test_settings_that_no_arm_takes_are_refused(wrong) -> None:
    with pytest.raises(SettingsError, match="valid"):
        FrankaSettings(**wrong)


def test_the_reading_tells_the_force_that_the_fingers_close_with(rig) -> None:
    hand, loop = rig
    loop.go(0.0, force=35.0)
    loop.tick()
    loop.tick()
    assert loop.reading.force == 35.0
    loop.go(0.08)
    hand.state.width = 0.02
    loop.tick()
    loop.tick()
    assert loop.reading.force == 0.0
