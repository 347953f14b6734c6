# SPDX-License-Identifier: Apache-2.0
"""Every output says the same setpoint in its own message; an unknown one is refused with the valid ones."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from vla_controller.arm.kinematics import Kinematics
from vla_controller.bench.rig import Bench
from vla_controller.motion.servo import twist_between
from vla_controller.motion.stream import LEAD, bridge_time
from vla_core.action import ActionStep
from vla_core.robot import RobotConfigError, load_robot_config
from vla_core.rotation import Pose, apply_delta, rotation_between

DT = 0.05


class Receiver:
    """Takes the place of a node: keeps what is published."""

    def __init__(self) -> None:
        self.topics: dict[str, Any] = {}
        self.sent: list[Any] = []

    def create_publisher(self, kind: Any, topic: str, depth: int) -> Receiver:
        self.topics[topic] = kind
        return self

    def publish(self, msg: Any) -> None:
        self.sent.append(msg)


def messages(bench: Bench, name: str, lag: np.ndarray | None = None, timed: bool = True) -> list[Any]:
    """What the output ``name`` sends during a motion of an arm that is off by ``lag`` (n,) [rad]."""
    from vla_controller.ros.outputs import ArmOutput, find_output

    receiver = Receiver()
    config, kinematics = bench.controller.config, bench.controller.kinematics
    output = ArmOutput(receiver, find_output(name), "/here", config, DT)
    bench.send(ActionStep(np.array([0.0, 0.05, -0.02]), np.array([0.0, 0.0, 0.2])))
    del bench.setpoints[:]
    before = bench.q
    for _ in range(14):
        row = bench.tick()
        output.send(row, kinematics, before if lag is None else before + lag, timed)
        before = row.q
    return receiver.sent


def test_joint_trajectories_pass_the_setpoint_and_end_at_rest(bench: Bench) -> None:
    sent = messages(bench, "joint_trajectory")
    due = []
    for msg, row in zip(sent, bench.setpoints, strict=True):
        assert list(msg.joint_names) == list(bench.controller.config.joints)
        (point,) = [point for point in msg.points if np.array_equal(point.positions, row.q)][:1]
        assert np.array_equal(point.velocities, row.qd)
        assert np.array_equal(point.accelerations, row.qdd)
        due.append(absolute(msg, point) - row.stamp)
        assert not any(msg.points[-1].velocities)
        assert not any(msg.points[-1].accelerations)
    limits = bench.controller.config.limits
    crossing = bridge_time(np.full_like(limits.lower, 0.02), limits)  # [s] for what is unknown
    assert max(due) == pytest.approx(DT + LEAD + crossing)


def test_without_a_common_clock_times_count_from_arrival(bench: Bench) -> None:
    for msg, row in zip(messages(bench, "joint_trajectory", timed=False), bench.setpoints, strict=True):
        first = msg.points[0]
        assert (msg.header.stamp.sec, msg.header.stamp.nanosec) == (0, 0)
        assert np.array_equal(first.positions, row.q)
        assert not first.accelerations  # the receiver knows none of the arm
        assert seconds(first.time_from_start) >= DT
        assert not any(msg.points[-1].velocities)


def seconds(time: Any) -> float:
    return float(time.sec + 1e-9 * time.nanosec)


def absolute(msg: Any, point: Any) -> float:
    return seconds(msg.header.stamp) + seconds(point.time_from_start)


def test_forward_position_has_the_positions_in_the_robots_order(bench: Bench) -> None:
    for msg, row in zip(messages(bench, "forward_position"), bench.setpoints, strict=True):
        assert np.array_equal(msg.data, row.q)


def test_servo_pose_is_the_setpoints_pose_in_the_base_frame(bench: Bench) -> None:
    for msg, row in zip(messages(bench, "servo_pose"), bench.setpoints, strict=True):
        pose = bench.controller.kinematics.fk(row.q)
        p, o = msg.pose.position, msg.pose.orientation
        assert msg.header.frame_id == bench.controller.config.base_frame
        assert msg.header.stamp.sec + 1e-9 * msg.header.stamp.nanosec == pytest.approx(row.stamp, abs=1e-6)
        assert np.allclose([p.x, p.y, p.z], pose.position)
        assert np.allclose([o.x, o.y, o.z, o.w], pose.quaternion)


def test_servo_twists_add_up_to_the_motion_and_end_at_zero(bench: Bench) -> None:
    start = bench.pose
    sent = messages(bench, "servo_twist")
    position, quaternion = start.position, start.quaternion
    for msg in sent:
        linear, angular = msg.twist.linear, msg.twist.angular
        moved = apply_delta(
            Pose(position, quaternion),
            DT * np.array([linear.x, linear.y, linear.z]),
            DT * np.array([angular.x, angular.y, angular.z]),
        )
        position, quaternion = moved.position, moved.quaternion
        assert msg.header.frame_id == bench.controller.config.base_frame
    assert np.allclose(position, bench.pose.position, atol=1e-6)
    assert np.allclose(rotation_between(quaternion, bench.pose.quaternion), 0.0, atol=1e-5)
    assert np.linalg.norm(bench.pose.position - start.position) > 0.04


def test_a_drift_is_made_good_within_bounds() -> None:
    here = Pose(np.zeros(3), np.array([0.0, 0.0, 0.0, 1.0]))
    near, far = (Pose(np.array([0.0, 0.0, -z]), here.quaternion) for z in (0.01, 10.0))
    assert twist_between(here, here, here, DT)[0].tolist() == [0.0, 0.0, 0.0]
    assert twist_between(here, here, near, DT)[0] == pytest.approx([0.0, 0.0, 0.02])
    assert np.linalg.norm(twist_between(here, here, far, DT)[0]) == pytest.approx(0.05)


def test_an_unknown_output_is_refused_with_the_valid_ones() -> None:
    from vla_controller.ros.outputs import OUTPUTS, find_output

    with pytest.raises(RobotConfigError, match="'joint_velocity'; valid: joint_trajectory, forward_position, servo"):
        find_output("joint_velocity")
    assert set(OUTPUTS) == {"joint_trajectory", "forward_position", "servo_twist", "servo_pose"}


def test_a_base_velocity_is_a_planar_twist() -> None:
    from vla_controller.ros.outputs import base_to_msg

    msg = base_to_msg(np.array([0.1, -0.2, 0.3]))
    assert (msg.linear.x, msg.linear.y, msg.angular.z) == (0.1, -0.2, 0.3)
    assert (msg.linear.z, msg.angular.x, msg.angular.y) == (0.0, 0.0, 0.0)


@pytest.mark.node
def test_over_dds_on_the_receivers_own_topic(arm, start: Callable) -> None:
    from geometry_msgs.msg import TwistStamped
    from std_msgs.msg import Float64MultiArray

    twists, positions = [], []
    arm.node.create_subscription(TwistStamped, "/servo_node/delta_twist_cmds", twists.append, 10)
    arm.node.create_subscription(Float64MultiArray, "/forward_position_controller/commands", positions.append, 10)
    arm.obeys_status = True
    servo = start("output:=servo_twist")
    arm.wait(lambda: len(twists) > 3, 30.0)
    arm.instruct("a")
    arm.chunk((0.0, 0.05, 0.0))
    arm.wait(lambda: any(abs(msg.twist.linear.y) > 0.01 for msg in twists))
    servo.process.terminate()
    assert servo.process.wait(5.0) == 0, servo.output
    time.sleep(0.2)
    last = twists[-1].twist
    assert max(abs(v) for v in (last.linear.x, last.linear.y, last.linear.z)) < 0.06  # what makes its drift good
    start("output:=forward_position")
    arm.wait(lambda: len(positions) > 3, 30.0)
    assert np.allclose(positions[-1].data, arm.q, atol=1e-6)


@pytest.mark.node
def test_tool_poses_over_dds_are_those_of_the_setpoints_and_end_at_rest(arm, start: Callable) -> None:
    from geometry_msgs.msg import PoseStamped

    poses: list[PoseStamped] = []
    arm.node.create_subscription(PoseStamped, "/servo_node/pose_target_cmds", poses.append, 200)
    arm.obeys_status = True
    servo = start("output:=servo_pose")
    arm.wait(lambda: len(poses) > 3 and len(arm.statuses) > 3)
    begin = poses[-1].pose.position
    arm.instruct("a")
    arm.chunk((0.0, 0.05, 0.0), (0.0, 0.0, 0.03))
    arm.wait(lambda: poses[-1].pose.position.y > begin.y + 0.049)
    arm.wait_for_state(1)
    servo.process.terminate()
    assert servo.process.wait(5.0) == 0, servo.output
    time.sleep(0.2)
    end = poses[-1].pose.position
    assert (end.x - begin.x, end.y - begin.y, end.z - begin.z) == pytest.approx((0.0, 0.05, 0.03), abs=1e-3)
    assert arm.commands == []  # nothing goes to a joint_trajectory_controller
    kinematics, joints = Kinematics(load_robot_config("fr3")), stamps(arm.statuses)
    matched = [(msg.pose, joints[key]) for key, msg in stamps(poses).items() if key in joints]
    assert len(matched) > 10
    for pose, status in matched:
        p, o, wanted = pose.position, pose.orientation, kinematics.fk(np.array(status.setpoint))
        assert np.allclose([p.x, p.y, p.z], wanted.position, atol=1e-6)
        assert np.allclose([o.x, o.y, o.z, o.w], wanted.quaternion, atol=1e-6)
    assert {msg.header.frame_id for msg in poses} == {"fr3_link0"}


def stamps(messages: list[Any]) -> dict[tuple[int, int], Any]:
    """Messages by their stamp."""
    return {(msg.header.stamp.sec, msg.header.stamp.nanosec): msg for msg in messages}


@pytest.mark.node
def test_a_wrong_output_or_check_is_refused_in_one_line(start: Callable) -> None:
    for parameter, said in (
        ("output:=torque", "unknown output 'torque'; valid: joint_trajectory"),
        ("collision_check:=maybe", "unknown collision_check 'maybe'; valid: auto, off, required"),
    ):
        controller = start(parameter)
        assert controller.process.wait(20.0) == 2
        assert said in controller.output
        assert "Traceback" not in controller.output


@pytest.mark.parametrize("name", ["joint_trajectory", "forward_position", "servo_pose", "servo_twist"])
def test_poses_are_those_of_the_tick_for_every_output(fr3: Bench, name: str) -> None:
    from dataclasses import replace

    from vla_controller.ros.outputs import ArmOutput, find_output

    kinematics, seen, output = fr3.controller.kinematics, [], find_output(name)
    spy = replace(output, make=lambda now, config, dt: seen.append((now.goal.position, now.before.position)))
    arm = ArmOutput(Receiver(), spy, "/here", fr3.controller.config, DT)
    fr3.send(ActionStep(np.array([0.0, 0.05, 0.0])))
    rows = [fr3.tick() for _ in range(8)]
    for row in rows:
        arm.send(row, kinematics, row.q, True)
    wanted = [kinematics.fk(row.q).position for row in rows]
    assert np.allclose([goal for goal, _ in seen], wanted)
    assert np.allclose([before for _, before in seen[1:]], wanted[:-1])
    assert np.linalg.norm(wanted[-1] - wanted[0]) > 1e-3
