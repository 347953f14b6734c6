# SPDX-License-Identifier: Apache-2.0
"""Where the tool is led by hand: velocities and targets become a pose that moves smoothly, inside the workspace."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import ruckig
from vla_core.robot import JointLimits, RobotConfig
from vla_core.rotation import Pose, apply_delta, rotation_between

from vla_controller.arm.workspace import Workspace
from vla_controller.intake.frames import rotated
from vla_controller.refusals import Refusal, RefusalLog
from vla_controller.settings import ControllerSettings
from vla_controller.teleop.command import TOOL_FRAME, Drive, TeleopCommand, target

Array = npt.NDArray[np.float64]

STOP_TIME = 0.18  # [s] in which the joints can stop: with the silence and a tick before that, less than half a second
_GAIN = 6.0  # [1/s] of the speed towards a target pose, over what is left of the way
_BEHIND, _TURNED = 0.005, 0.03  # [m], [rad] that the arm may stay behind before the pose waits for it
_STILL = 1e-6  # [m/s], [rad/s] below which a velocity is zero


class Jog:
    """A pose that is led, one tick at a time. Changes of its velocity take the settings' ``teleop_ramp``."""

    def __init__(self, config: RobotConfig, settings: ControllerSettings, log: RefusalLog, dt: float) -> None:
        """Lead nothing; targets that are moved onto the workspace are counted in ``log``. ``dt`` [s] between ticks."""
        self._box, self._log = Workspace.of(config), log
        self.joint_speed = _stoppable(config.limits)  # (n,) [rad/s] at most
        self._linear, self._angular = settings.teleop_linear_speed, settings.teleop_angular_speed
        tops = np.repeat((self._linear, self._angular), 3)
        self._generator = ruckig.Ruckig(6, dt)
        self._input, self._output = ruckig.InputParameter(6), ruckig.OutputParameter(6)
        self._input.control_interface = ruckig.ControlInterface.Velocity
        self._input.synchronization = ruckig.Synchronization.Phase
        self._input.max_acceleration = (2.0 * tops / settings.teleop_ramp).tolist()
        self._input.max_jerk = (4.0 * tops / settings.teleop_ramp**2).tolist()
        self._command = TeleopCommand(0.0, "", held=False)
        self._pose = Pose(np.zeros(3), np.array([0.0, 0.0, 0.0, 1.0]))

    @property
    def pose(self) -> Pose:
        """Where the tool is led now, in the base frame."""
        return self._pose

    def begin(self, pose: Pose, velocity: Array) -> None:
        """Lead from ``pose``, which moves at ``velocity`` (6,) [m/s, rad/s] in the base frame."""
        self._pose, self._command = pose, TeleopCommand(0.0, "", held=False)
        self._set_velocity(velocity, np.zeros(6))

    def obey(self, command: TeleopCommand) -> None:
        """Do what a command says until the next one. It is in the base frame, or a twist along the tool's axes."""
        self._command = command
        if command.drive == Drive.TWIST:
            linear, angular = self._wanted()
            if _norm(linear) > 1.001 * self._linear or _norm(angular) > 1.001 * self._angular:
                reason = f"a twist was shortened to {self._linear} m/s, {self._angular} rad/s"
                self._log.add(Refusal("teleop_speed_clamped", reason))
        place = target(command)
        if place is not None and self._box.excess(place.position) > 0.0:
            self._count(place.position)

    def step(self) -> Pose:
        """Return where the tool is to be led in the next tick."""
        linear, angular = self._wanted()
        wanted = np.concatenate((_at_most(linear, self._linear), _at_most(angular, self._angular)))
        self._input.current_position = [0.0] * 6
        self._input.target_velocity = wanted.tolist()
        self._generator.update(self._input, self._output)
        way = np.array(self._output.new_position)
        self._output.pass_to_input(self._input)
        before, moved = self._pose, apply_delta(self._pose, way[:3], way[3:])
        inside = self._box.around(before.position).clamp(moved.position)
        self._pose = Pose(inside, moved.quaternion)
        beyond = np.append(inside != moved.position, np.zeros(3, dtype=bool))
        if np.any(beyond):
            self._count(moved.position)
            self._set_velocity(*(np.where(beyond, 0.0, row) for row in self._motion()))
        return self._pose

    def wait_for(self, reached: Pose) -> None:
        """Stay near where the arm gets, ``reached``: what it cannot do is not made up for later."""
        far = _norm(self._pose.position - reached.position) > _BEHIND
        if far or _norm(rotation_between(reached.quaternion, self._pose.quaternion)) > _TURNED:
            self._pose = reached

    def _wanted(self) -> tuple[Array, Array]:
        """Velocities (3,) [m/s], (3,) [rad/s] in the base frame that the command asks for."""
        command, place = self._command, target(self._command)
        if place is not None:
            left = self._box.clamp(place.position) - self._pose.position
            return _GAIN * left, _GAIN * rotation_between(self._pose.quaternion, place.quaternion)
        if command.drive != Drive.TWIST or command.linear is None or command.angular is None:
            return np.zeros(3), np.zeros(3)
        if command.frame_id == TOOL_FRAME:
            turn = self._pose.quaternion
            return rotated(turn, command.linear), rotated(turn, command.angular)
        return command.linear, command.angular

    def _motion(self) -> tuple[Array, Array]:
        """Velocity and acceleration, each (6,)."""
        return np.array(self._input.current_velocity), np.array(self._input.current_acceleration)

    def _set_velocity(self, velocity: Array, acceleration: Array) -> None:
        self._input.current_velocity = np.where(np.abs(velocity) < _STILL, 0.0, velocity).tolist()
        self._input.current_acceleration = acceleration.tolist()

    def _count(self, place: Array) -> None:
        text = f"target {place.round(3).tolist()} m moved onto the box {self._box}"
        self._log.add(Refusal("workspace_clamped", text))


def _stoppable(limits: JointLimits) -> Array:
    """Speeds (n,) [rad/s] from which the joints come to rest in `STOP_TIME`."""
    return np.minimum(limits.velocity, limits.acceleration * (STOP_TIME - limits.acceleration / limits.jerk))


def _at_most(vector: Array, most: float) -> Array:
    length = _norm(vector)
    return vector if length <= most else vector * (most / length)


def _norm(vector: Array) -> float:
    return float(np.sqrt(vector @ vector))
