# SPDX-License-Identifier: Apache-2.0
"""The simulated world: physics, the arm's trajectory tracking, ground truth. No ROS; simulation time only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

import mujoco
import numpy as np
from numpy.typing import NDArray
from vla_core.trajectory.spline import JointSpline, TrajectoryPoint

from vla_sim.run.realtime import DelayLine
from vla_sim.world.dressing import Dressing
from vla_sim.world.robots import SimRobot, get_robot
from vla_sim.world.scene import BLOCKS, BOWL, DISTRACTORS, PLAIN, TIMESTEP, body_name, build_scene

Array = NDArray[np.float64]
OBJECTS: tuple[str, ...] = (*BLOCKS, BOWL, *DISTRACTORS)


@dataclass(frozen=True, slots=True)
class _Command:
    """A command that waits for its action delay: points of the arm or a travel of the fingers [m]."""

    number: int  # in the order of arrival
    points: tuple[TrajectoryPoint, ...] | None = None
    travel: float | None = None


class World:
    """One robot at a table. The world frame is the robot's base frame; quaternions are x y z w."""

    def __init__(self, robot: str | SimRobot, action_delay: float = 0.0, dressing: Dressing = PLAIN) -> None:
        """`action_delay` [s]: commands take effect that much after they are given. `dressing`: what the table shows."""
        self.robot = get_robot(robot) if isinstance(robot, str) else robot
        self.dressing = dressing
        self.model = build_scene(self.robot, dressing)
        self.data = mujoco.MjData(self.model)
        self.action_delay = action_delay
        self._joint_qpos = [self.model.joint(n).qposadr[0] for n in self.robot.joint_names]
        self._joint_dofs = [self.model.joint(n).dofadr[0] for n in self.robot.joint_names]
        self._finger_qpos = [self.model.joint(n).qposadr[0] for n in self.robot.finger_joint_names]
        self._finger_dofs = [self.model.joint(n).dofadr[0] for n in self.robot.finger_joint_names]
        self._actuators = [self.model.actuator(n).id for n in self.robot.joint_names]
        self._finger_actuators = [self.model.actuator(n).id for n in self.robot.finger_joint_names]
        self._velocity_lead = self._actuator_velocity_lead()
        self._names = (*OBJECTS, *dressing.things)
        self._bodies = {name: self.model.body(body_name(name)).id for name in self._names}
        self._tcp = self.model.site("tcp").id
        self._pending: DelayLine[_Command] = DelayLine()
        self._numbers = count()
        self.reset_robot(self.robot.home)
        for i, name in enumerate(self._names):
            self._park(name, i)
        mujoco.mj_forward(self.model, self.data)

    def _actuator_velocity_lead(self) -> Array:
        """kv / kp of each arm actuator [s]: adding velocity * lead to the set-point cancels the servo's damping lag."""
        gain = self.model.actuator_gainprm[self._actuators, 0]
        return np.asarray(-self.model.actuator_biasprm[self._actuators, 2] / gain)

    @property
    def time(self) -> float:
        """Simulation time [s]."""
        return float(self.data.time)

    def reset_robot(self, joints: Sequence[float], opening: float = 1.0) -> None:
        """Put the arm at `joints` [rad] at rest, the gripper at `opening` (0..1). A teleport: not for live graphs."""
        travel = self.robot.finger_travel(opening)
        self.data.qpos[self._joint_qpos] = joints
        self.data.qvel[self._joint_dofs] = 0
        self.data.qpos[self._finger_qpos] = travel
        self.data.qvel[self._finger_dofs] = 0
        self._spline = JointSpline(np.asarray(joints, dtype=np.float64))
        self._finger_target = travel
        self._pending = DelayLine()
        self._arm_number = self._fingers_number = -1  # of the commands in force
        mujoco.mj_forward(self.model, self.data)

    def command_arm(self, points: Sequence[TrajectoryPoint]) -> None:
        """Follow a joint trajectory from now (plus the action delay)."""
        self._pending.put(_Command(next(self._numbers), points=tuple(points)), self.time + self.action_delay)

    def command_gripper(self, travel: float) -> None:
        """Move each finger to `travel` [m]."""
        low, high = self.robot.finger_closed, self.robot.finger_open
        command = _Command(next(self._numbers), travel=float(np.clip(travel, low, high)))
        self._pending.put(command, self.time + self.action_delay)

    def step(self, duration: float) -> None:
        """Advance the physics by `duration` [s], rounded to whole time steps (at least one)."""
        for _ in range(max(1, round(duration / TIMESTEP))):
            self._take_commands()
            position, velocity = self._spline.sample(self.time)
            self.data.ctrl[self._actuators] = position + velocity * self._velocity_lead
            self.data.ctrl[self._finger_actuators] = self._finger_target
            mujoco.mj_step(self.model, self.data)

    def _take_commands(self) -> None:
        """Apply what is due; a command overtaken by a newer one, after the delay was lowered, is dropped."""
        for command in self._pending.take(self.time + 1e-9):
            if command.points is not None and command.number > self._arm_number:
                self._arm_number = command.number
                self._spline.follow(self.time, command.points)
            if command.travel is not None and command.number > self._fingers_number:
                self._fingers_number = command.number
                self._finger_target = command.travel

    def joint_state(self) -> tuple[tuple[str, ...], Array, Array]:
        """Names, positions and velocities of the arm joints and then the fingers."""
        names = self.robot.joint_names + self.robot.finger_joint_names
        qpos, dofs = self._joint_qpos + self._finger_qpos, self._joint_dofs + self._finger_dofs
        return names, self.data.qpos[qpos].copy(), self.data.qvel[dofs].copy()

    @property
    def gripper_width(self) -> float:
        """Distance between the pads [m]."""
        return float(self.data.qpos[self._finger_qpos].sum())

    def tcp_pose(self) -> Array:
        """Tool centre point (7,): x y z [m], quaternion x y z w."""
        quat = np.zeros(4)
        mujoco.mju_mat2Quat(quat, self.data.site_xmat[self._tcp])
        return np.concatenate([self.data.site_xpos[self._tcp], quat[[1, 2, 3, 0]]])

    def object_pose(self, name: str) -> Array:
        """Pose (7,) of an object: x y z [m], quaternion x y z w."""
        body = self._bodies[name]
        return np.concatenate([self.data.xpos[body], self.data.xquat[body][[1, 2, 3, 0]]])

    def objects(self) -> dict[str, Array]:
        """Poses of the objects that are on the table (parked ones left out)."""
        return {name: self.object_pose(name) for name in self._names if name not in self._parked}

    @property
    def _parked(self) -> set[str]:
        return {name for name, body in self._bodies.items() if self.model.body_gravcomp[body] > 0}

    def place(self, name: str, xyz: Sequence[float], yaw: float = 0.0) -> None:
        """Put an object at rest at a position [m] with a rotation about z [rad]."""
        self._set_pose(name, xyz, yaw, parked=False)
        mujoco.mj_forward(self.model, self.data)

    def park_all(self) -> None:
        """Take every object off the table."""
        for i, name in enumerate(self._names):
            self._park(name, i)
        mujoco.mj_forward(self.model, self.data)

    def remove(self, name: str) -> None:
        """Take one object off the table."""
        self._park(name, OBJECTS.index(name))
        mujoco.mj_forward(self.model, self.data)

    def _park(self, name: str, slot: int) -> None:
        self._set_pose(name, (0.3 * slot, 0.0, -0.35), 0.0, parked=True)

    def _set_pose(self, name: str, xyz: Sequence[float], yaw: float, parked: bool) -> None:
        joint = self.data.joint(body_name(name))
        joint.qpos[:] = [*xyz, math.cos(yaw / 2), 0, 0, math.sin(yaw / 2)]
        joint.qvel[:] = 0
        self.model.body_gravcomp[self._bodies[name]] = 1.0 if parked else 0.0  # parked ones float under the table

    def camera_pose(self, name: str) -> Array:
        """Pose (7,) of a camera's optical frame (z ahead, y down): x y z [m], quaternion x y z w."""
        seen = self.data.camera(name)
        quat = np.zeros(4)
        mujoco.mju_mat2Quat(quat, (seen.xmat.reshape(3, 3) @ np.diag([1.0, -1.0, -1.0])).flatten())
        return np.concatenate([seen.xpos, quat[[1, 2, 3, 0]]])

    def touching_fingers(self, name: str) -> bool:
        """Whether the object touches any finger."""
        fingers = {self.model.jnt_bodyid[self.model.joint(n).id] for n in self.robot.finger_joint_names}
        body = self._bodies[name]
        for geom1, geom2 in self.data.contact.geom:
            pair = {int(self.model.geom_bodyid[geom1]), int(self.model.geom_bodyid[geom2])}
            if body in pair and pair & fingers:
                return True
        return False
