# SPDX-License-Identifier: Apache-2.0
"""Between ROS messages and the controller's own types."""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from geometry_msgs.msg import PoseStamped
from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint
from vla_core.ros import action
from vla_core.ros.time import duration_from_seconds, time_from_ns, time_from_seconds
from vla_core.rotation import Pose

from vla_controller.health.health import Health
from vla_controller.motion.setpoint import ControllerState, Setpoint
from vla_controller.motion.stream import Command
from vla_controller.refusals import Refusal as GateRefusal
from vla_controller.teleop.ownership import Ownership
from vla_msgs.msg import ControllerStatus, Refusal

Array = npt.NDArray[np.float64]


def pose_to_msg(pose: Pose, stamp: Time, frame: str) -> PoseStamped:
    """Return the tool pose with the stamp of the joint state it was computed from."""
    msg = PoseStamped(pose=action.pose_to_msg(pose))
    msg.header.stamp, msg.header.frame_id = stamp, frame
    return msg


def joints_from_msg(msg: JointState, joints: Sequence[str]) -> tuple[Array, Array] | None:
    """Positions and velocities (n,) in the order ``joints``; None when the message does not hold them all.

    Velocities are zero where the driver sends none: ros2_control's joint_state_broadcaster puts NaN there.
    """
    try:
        order = [msg.name.index(name) for name in joints]
        q = np.array([msg.position[k] for k in order])
    except (ValueError, IndexError):
        return None
    if len(msg.velocity) != len(msg.name):
        return q, np.zeros(len(order))
    qd = np.array([msg.velocity[k] for k in order])
    return q, np.where(np.isnan(qd), 0.0, qd)


def command_to_msg(command: Command, joints: Sequence[str]) -> JointTrajectory:
    """Trajectory of a command; stamp 0 where its times count from arrival."""
    msg = JointTrajectory(joint_names=joints, points=[])
    if command.timed:
        msg.header.stamp = time_from_seconds(command.start)
    motion = command.motion
    for k, seconds in enumerate(motion.times.tolist()):
        point = JointTrajectoryPoint(positions=_doubles(motion.q[k]), velocities=_doubles(motion.qd[k]))
        if command.timed:
            point.accelerations = _doubles(motion.qdd[k])
        point.time_from_start = duration_from_seconds(seconds)
        msg.points.append(point)
    return msg


def _doubles(row: Array) -> array[float]:
    return array("d", row.tobytes())


@dataclass(frozen=True, slots=True)
class TickReport:
    """What the status says beside the setpoint."""

    now: float  # [s]
    measured: Array | None  # (n,) [rad]
    ee_setpoint: Pose | None
    tick_period: float  # [s]
    compute_time: float  # [s]
    chunks_accepted: int
    steps_late: int
    latency_budget: float  # [s]
    pace: float
    refusals: tuple[tuple[str, int, str], ...]
    ownership: Ownership
    instruction_sequence: int = 0  # the highest received
    waiting: str = ""  # what is missing before the first setpoint


def status_to_msg(setpoint: Setpoint | None, report: TickReport, joints: Sequence[str], frame: str) -> ControllerStatus:
    """Status of one tick; without a setpoint the controller is still waiting for joint states."""
    msg = ControllerStatus(
        state=ControllerState.WAITING,
        owner=int(report.ownership.owner),
        device=report.ownership.device,
        intervention=report.ownership.intervention,
        joint_names=joints,
        measured=[] if report.measured is None else report.measured.tolist(),
        gripper=math.nan,
        tick_period=report.tick_period,
        compute_time=report.compute_time,
        stamp_to_setpoint=math.nan,
        instruction_sequence=report.instruction_sequence,
        chunks_accepted=report.chunks_accepted,
        steps_late=report.steps_late,
        latency_budget=report.latency_budget,
        pace=report.pace,
        refusals=[Refusal(name=name, count=count, reason=reason) for name, count, reason in report.refusals],
        reason=report.waiting,
    )
    msg.header.stamp, msg.header.frame_id = time_from_seconds(report.now), frame
    if report.ee_setpoint is not None:
        msg.ee_setpoint = action.pose_to_msg(report.ee_setpoint)
    if setpoint is not None:
        _fill_setpoint(msg, setpoint)
    return msg


def _fill_setpoint(msg: ControllerStatus, setpoint: Setpoint) -> None:
    msg.state = int(setpoint.state)
    msg.instruction_id = setpoint.instruction_id
    msg.chunk_sequence = setpoint.chunk_sequence
    msg.chunk_stamp = time_from_ns(setpoint.chunk_stamp_ns)
    msg.reference = setpoint.reference.tolist()
    msg.setpoint = setpoint.q.tolist()
    msg.setpoint_velocity = setpoint.qd.tolist()
    msg.setpoint_acceleration = setpoint.qdd.tolist()
    msg.gripper = setpoint.gripper
    msg.stamp_to_setpoint = setpoint.stamp_to_setpoint
    msg.reason = setpoint.reason


def diagnostics_to_msg(stamp: Time, node: str, robot: str, rows: Mapping[str, Health]) -> DiagnosticArray:
    """Diagnostics with a status for each row, under the names "node: row"."""
    msg = DiagnosticArray()
    msg.header.stamp = stamp
    for name, health in rows.items():
        values = [KeyValue(key=key, value=str(value)) for key, value in health.values.items()]
        msg.status.append(
            DiagnosticStatus(
                level=bytes([health.level]),
                name=f"{node}: {name}",
                message=health.message,
                hardware_id=robot,
                values=values,
            )
        )
    return msg


def answer(response: Trigger.Response, refusal: GateRefusal | None, done: str) -> Trigger.Response:
    """Reply of a service: ``done``, or the refusal's reason."""
    response.success, response.message = refusal is None, done if refusal is None else refusal.reason
    return response
