# SPDX-License-Identifier: Apache-2.0
"""A person drives: inside the limits whatever a device sends, at rest soon after the deadman opens, without a jump."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from vla_controller.bench.rig import Bench
from vla_controller.refusals import Refusal
from vla_controller.settings import ControllerSettings
from vla_controller.teleop.command import TOOL_FRAME, Drive, TeleopCommand, in_base
from vla_controller.teleop.ownership import Owner, ownership
from vla_controller.trajectory.goal import GoalError, TrajectoryGoal
from vla_core.action import ActionStep
from vla_core.rotation import Pose, from_rotation_vector, multiply, rotation_between

REST = 0.5  # [s] at most, after the deadman opens
QUICK = settings(
    max_examples=int(os.environ.get("VLA_STREAMS", "10")), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
SPEED = ControllerSettings().teleop_linear_speed


class Device:
    """A person's device on a bench."""

    def __init__(self, bench: Bench, name: str = "pad") -> None:
        self.bench, self.name = bench, name

    def command(self, held: bool = True, **values: Any) -> TeleopCommand:
        values = {"linear": (0.0, 0.0, 0.0), "angular": (0.0, 0.0, 0.0), "drive": Drive.TWIST, **values}
        for name in ("linear", "angular"):
            values[name] = np.array(values[name], dtype=float)
        frame = self.bench.controller.config.base_frame
        return TeleopCommand(
            **{"stamp": self.bench.now, "device": self.name, "held": held, "frame_id": frame, **values}
        )

    def send(self, held: bool = True, **values: Any) -> Refusal | None:
        return self.bench.controller.teleop.take(self.command(held, **values), self.bench.now)

    def drive(self, ticks: int, **values: Any) -> Refusal | None:
        """Press, and send the same at each tick; the last refusal."""
        self.send(held=False)
        for _ in range(ticks):
            refusal = self.send(**values)
            self.bench.tick()
        return refusal


def moves(bench: Bench) -> bool:
    return bool(np.any(bench.setpoints[-1].qd))


def speeds(bench: Bench) -> np.ndarray:
    places = np.array([bench.controller.kinematics.tool_position(row.q) for row in bench.setpoints])
    return np.linalg.norm(np.diff(places, axis=0), axis=1) / bench.dt


def rest_time(bench: Bench) -> float:
    """Time [s] that the arm takes from now until it stands still."""
    start = bench.now
    while moves(bench):
        bench.tick()
        assert bench.now - start < 5.0
    return bench.now - start


def test_a_twist_moves_the_tool_along_it(bench: Bench) -> None:
    start = bench.pose
    assert Device(bench).drive(26, linear=(0.0, 0.08, 0.06)) is None
    moved = bench.pose.position - start.position
    assert moved @ [0.0, 0.8, 0.6] == pytest.approx(1.3 * 0.1, abs=0.02)
    assert np.linalg.norm(np.cross(moved, [0.0, 0.8, 0.6])) < 2e-3
    assert np.linalg.norm(rotation_between(start.quaternion, bench.pose.quaternion)) < 0.01
    assert bench.violations() == []


def test_a_twist_in_the_tool_frame_follows_the_tools_axes(fr3: Bench) -> None:
    device, start = Device(fr3), fr3.pose
    device.drive(30, angular=(0.0, 0.0, 0.5), frame_id=TOOL_FRAME)
    device.send(held=False)
    rest_time(fr3)
    turned = fr3.pose
    assert np.linalg.norm(turned.position - start.position) < 3e-3
    device.drive(20, linear=(0.05, 0.0, 0.0), frame_id=TOOL_FRAME)
    frame = Pose(np.zeros(3), turned.quaternion)
    axis = in_base(device.command(linear=(1.0, 0.0, 0.0), frame_id="x"), "y", frame).linear
    moved = fr3.pose.position - turned.position
    assert moved @ axis / np.linalg.norm(moved) > 0.999


def test_a_pose_target_is_reached_and_held(bench: Bench) -> None:
    place = Pose(bench.pose.position + np.array([0.03, 0.06, 0.04]), bench.pose.quaternion)
    turned = Pose(place.position, from_rotation_vector(np.array([0.0, 0.0, 0.2])))
    target = Pose(turned.position, multiply(turned.quaternion, bench.pose.quaternion))
    Device(bench).drive(80, drive=Drive.POSE, pose=target)
    assert np.linalg.norm(bench.pose.position - target.position) < 2e-3
    assert np.linalg.norm(rotation_between(bench.pose.quaternion, target.quaternion)) < 0.01
    assert speeds(bench).max() <= SPEED * 1.02
    assert bench.violations() == []


def wild(size: float) -> st.SearchStrategy[list[float]]:
    return st.lists(st.one_of(st.floats(-size, size), st.just(0.0)), min_size=3, max_size=3)


@st.composite
def inputs(draw: st.DrawFn) -> list[tuple[int, bool, dict[str, Any]]]:
    """What a device sends, for how many ticks: mostly sensible, some of it broken, late, or let go."""
    rows = []
    for _ in range(draw(st.integers(1, 8))):
        values: dict[str, Any] = {"linear": draw(wild(0.6)), "angular": draw(wild(3.0))}
        values["frame_id"] = draw(st.sampled_from([TOOL_FRAME, TOOL_FRAME, "", "nowhere"]))
        values["gripper"] = draw(st.sampled_from([math.nan, 0.0, 1.0]))
        if draw(st.integers(0, 3)) == 0:
            values |= {"drive": Drive.POSE, "frame_id": ""}
            values["pose"] = Pose(np.array(draw(wild(0.8))), from_rotation_vector(np.array(draw(wild(2.0)))))
        values["age"] = draw(st.sampled_from([0.0, 0.0, 0.0, 0.1, 0.4, -1.0]))
        values["broken"] = draw(st.integers(0, 9)) == 0
        rows.append((draw(st.integers(1, 12)), draw(st.integers(0, 4)) > 0, values))
    return rows


@pytest.mark.parametrize("robot", ["fr3", "wx250s"])
def test_no_input_leaves_the_limits(robot: str, make_bench: Callable[[str], Bench]) -> None:
    @QUICK
    @given(inputs())
    def run(rows: list[tuple[int, bool, dict[str, Any]]]) -> None:
        bench = make_bench(robot)
        device = Device(bench)
        device.send(held=False)
        for ticks, held, values in rows:
            values = dict(values)
            age, broken = values.pop("age"), values.pop("broken")
            values["frame_id"] = values["frame_id"] or bench.controller.config.base_frame
            for _ in range(ticks):
                command = device.command(held, **values, stamp=bench.now - age)
                if broken:
                    command = replace(command, linear=np.full(3, math.nan))
                bench.controller.teleop.take(command, bench.now)
                bench.tick()
        opened = bench.now
        device.send(held=False)
        bench.tick(16)
        assert bench.account(opened) == ()
        assert speeds(bench).max() <= 1.5 * SPEED  # the guard of the table leads the tool aside

    run()


@pytest.mark.parametrize("way", ["let go", "silent", "stop", "estop"])
def test_the_arm_rests_soon_after_the_deadman_opens(way: str, bench: Bench) -> None:
    device = Device(bench)
    device.drive(20, linear=(0.0, 0.25, 0.0), angular=(0.0, 0.0, 1.0))
    assert moves(bench)
    if way == "let go":
        device.send(held=False)
    elif way == "stop":
        bench.controller.set_instruction("x", stop=True)
    elif way == "estop":
        bench.controller.estop()
    passed = rest_time(bench)
    assert passed <= REST
    assert bench.violations() == []
    if way == "silent":
        assert passed > 0.2
        assert bench.controller.log.count("teleop_silent") == 1
    else:
        assert passed <= 0.25


def test_what_is_held_at_the_start_or_through_a_stop_moves_nothing(fr3: Bench) -> None:
    device = Device(fr3)
    refusal = device.send(linear=(0.0, 0.1, 0.0))
    assert refusal is not None
    assert refusal.name == "deadman_closed"
    device.drive(10, linear=(0.0, 0.1, 0.0))
    fr3.controller.set_instruction("x", stop=True)
    for _ in range(20):
        refusal = device.send(linear=(0.0, 0.1, 0.0))
        fr3.tick()
    assert refusal is not None
    assert refusal.name == "deadman_closed"
    assert not moves(fr3)
    assert device.drive(10, linear=(0.0, 0.1, 0.0)) is None
    assert moves(fr3)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"linear": np.array([math.nan, 0.0, 0.0])}, "non_finite"),
        ({"angular": None}, "non_finite"),
        ({"frame_id": "nowhere"}, "wrong_frame"),
        ({"frame_id": TOOL_FRAME, "drive": Drive.POSE}, "wrong_frame"),
        ({"drive": Drive.POSE, "pose": Pose(np.zeros(3), np.zeros(4))}, "bad_quaternion"),
        ({"drive": 7}, "bad_drive"),
        ({"gripper": 4.0}, "gripper_range"),
        ({"stamp": math.inf}, "non_finite"),
    ],
)
def test_a_broken_command_stops_the_arm_by_name(change: dict[str, Any], name: str, fr3: Bench) -> None:
    device = Device(fr3)
    device.drive(15, linear=(0.0, 0.2, 0.0))
    refusal = fr3.controller.teleop.take(replace(device.command(linear=(0.0, 0.2, 0.0)), **change), fr3.now)
    assert refusal is not None
    assert refusal.name == name
    for _ in range(10):  # sound again, and still held: it stays where it is
        assert device.send(linear=(0.0, 0.2, 0.0)) is not None
        fr3.tick()
    assert not moves(fr3)
    assert fr3.violations() == []


@pytest.mark.parametrize(("age", "name"), [(0.4, "teleop_too_old"), (-0.2, "teleop_from_future")])
def test_stamps_that_are_late_or_early_are_left_out_and_silence_stops(age: float, name: str, fr3: Bench) -> None:
    device = Device(fr3)
    device.drive(15, linear=(0.0, 0.2, 0.0))
    start = fr3.now
    while moves(fr3):
        refusal = device.send(linear=(0.0, 0.2, 0.0), stamp=fr3.now - age)
        assert refusal is not None
        assert refusal.name in (name, "deadman_closed")
        fr3.tick()
    assert fr3.now - start <= REST
    assert fr3.controller.log.count(name) >= 4
    assert fr3.controller.log.count("teleop_silent") == 1


def test_a_second_device_is_refused_by_name_and_has_to_be_let_go(fr3: Bench) -> None:
    pad, mouse = Device(fr3), Device(fr3, "mouse")
    mouse.send(held=False)
    pad.drive(5, linear=(0.0, 0.1, 0.0))
    refusal = mouse.send(linear=(0.0, -0.1, 0.0))
    assert refusal is not None
    assert refusal.name == "other_device"
    assert "'pad'" in refusal.reason
    pad.send(held=False)
    late = mouse.send(linear=(0.0, -0.1, 0.0))
    assert late is not None
    assert late.name == "deadman_closed"
    assert mouse.drive(3, linear=(0.0, -0.1, 0.0)) is None
    assert fr3.controller.teleop.device == "mouse"


def test_taking_over_from_a_moving_policy_and_giving_back_is_without_a_jump(bench: Bench) -> None:
    step = ActionStep(np.array([0.0, 0.03, 0.01]), np.zeros(3))
    device = Device(bench)
    for k in range(10):
        if k % 4 == 0:
            assert bench.send(step, step, step, stamp=bench.now - 0.25) is None
        bench.tick()
    assert moves(bench)
    before = bench.setpoints[-1]
    device.drive(1, linear=(0.0, 0.0, 0.1))
    assert np.dot(bench.setpoints[-1].qd, before.qd) > 0.0  # no kick back
    device.drive(20, linear=(0.0, 0.0, 0.1))
    refusal = bench.send(step)
    assert refusal is not None
    assert refusal.name == "teleoperated"
    status = ownership(bench.controller)
    assert (status.owner, status.device, status.intervention) == (Owner.PERSON, "pad", True)
    observed = bench.now
    bench.tick()
    device.send(held=False)
    bench.tick()
    late = bench.send(step, stamp=observed)
    assert late is not None
    assert late.name == "teleoperated"
    assert ownership(bench.controller) == replace(status, owner=Owner.POLICY, device="", intervention=False)
    assert bench.send(step, step, stamp=bench.now) is None
    bench.tick(12)
    assert bench.violations() == []


def test_after_silence_the_policy_needs_a_new_instruction(fr3: Bench) -> None:
    Device(fr3).drive(10, linear=(0.0, 0.1, 0.0))
    fr3.tick(12)
    refusal = fr3.send(ActionStep(np.array([0.0, 0.02, 0.0]), np.zeros(3)))
    assert refusal is not None
    assert refusal.name == "stopped"
    assert ownership(fr3.controller).owner is Owner.NONE


def test_a_person_ends_a_trajectory_and_refuses_a_new_one_and_home(fr3: Bench) -> None:
    controller = fr3.controller
    nothing = (np.zeros(0), np.zeros(0))
    rows = (fr3.q.copy(), fr3.q + 0.3)
    goal = TrajectoryGoal(0.0, controller.config.joints, np.array([0.0, 4.0]), rows, nothing, nothing)
    run = controller.start_trajectory(goal, fr3.now)
    fr3.tick(20)
    device = Device(fr3)
    device.drive(5, linear=(0.0, 0.1, 0.0))
    assert run.outcome is not None
    assert "'pad' takes the arm" in run.outcome.text
    with pytest.raises(GoalError, match="a person has the arm"):
        controller.start_trajectory(goal, fr3.now)
    refusal = controller.go_home(fr3.now)
    assert refusal is not None
    assert refusal.name == "teleoperated"
    assert fr3.violations() == []


def test_a_new_instruction_leaves_the_person_the_arm(fr3: Bench) -> None:
    device = Device(fr3)
    device.drive(10, linear=(0.0, 0.1, 0.0))
    fr3.controller.set_instruction("b")
    assert device.send(linear=(0.0, 0.1, 0.0)) is None
    fr3.tick()
    assert ownership(fr3.controller).owner is Owner.PERSON
    device.send(held=False)
    fr3.tick()
    assert fr3.send(ActionStep(np.array([0.0, 0.02, 0.0]), np.zeros(3)), instruction_id="b") is None


def test_at_the_workspaces_edge_the_tool_stays_and_comes_back_at_once(bench: Bench) -> None:
    device = Device(bench)
    device.drive(100, linear=(0.0, 0.0, -0.2))
    lowest = bench.pose.position[2]
    assert bench.controller.log.count("workspace_clamped") > 0
    device.drive(10, linear=(0.0, 0.0, 0.1))
    assert bench.pose.position[2] > lowest + 0.02  # what was pushed against the edge is not made up for
    assert bench.account(bench.now)[1:] == ()


def test_the_gripper_follows_the_device_alone_while_it_is_held(fr3: Bench) -> None:
    device = Device(fr3)
    device.drive(3, gripper=0.3)
    assert fr3.setpoints[-1].gripper == 0.3
    device.drive(3)
    assert fr3.setpoints[-1].gripper == 0.3


def test_an_arm_that_is_blocked_is_not_led_on(fr3: Bench) -> None:
    device, stands = Device(fr3), fr3.q.copy()
    device.send(held=False)
    for _ in range(40):
        device.send(linear=(0.0, 0.2, 0.0))
        fr3.controller.update_joint_state(fr3.now, stands, np.zeros(len(stands)))
        fr3.tick_without_joint_state()
    assert fr3.controller.log.count("not_following") > 0
    assert np.max(np.abs(fr3.setpoints[-1].q - stands)) < 0.05
    assert fr3.controller.log.count("deadman_closed") > 0
    assert ownership(fr3.controller).intervention  # the policy does not go on before the person lets go
