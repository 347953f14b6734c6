# SPDX-License-Identifier: Apache-2.0
"""What the chunks accepted so far still want: a path of tool poses or of joints, and gripper openings on the way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from vla_core.action import ActionChunk, ActionMode, DeltaReference
from vla_core.robot import RobotConfig
from vla_core.rotation import Pose

from vla_controller.arm.kinematics import Kinematics
from vla_controller.arm.workspace import Workspace
from vla_controller.intake.targets import AcceptedChunk, Reference, Schedule
from vla_controller.path.joining import Joining, mean_joints, mean_pose
from vla_controller.path.reference import Path, Waypoint, join, sample_joints, sample_pose, start_time
from vla_controller.refusals import Refusal, RefusalLog
from vla_controller.settings import ControllerSettings
from vla_controller.teleop.jog import Jog
from vla_controller.trajectory.curve import Curve

Array = npt.NDArray[np.float64]
Value = TypeVar("Value", Pose, Array)

_IK_ITERATIONS = 3  # in a tick; what remains is made up for in the next
REST_TIME = 0.5  # [s] after the last due step in which the arm comes to rest, come what may
_CATCH_UP, _MOST_GAIN = 0.5, 0.5  # [1/s] gain in speed for each second that the reference is behind; at most
_GO_SHARE = 0.3  # of the top speeds, for going home
_UNREACHABLE_DISTANCE = 0.02  # [m] between a target and the nearest pose that the arm can take


class Planner:
    """Holds one path at a time; chunks that passed the gate bend it."""

    def __init__(
        self, config: RobotConfig, settings: ControllerSettings, kinematics: Kinematics, log: RefusalLog
    ) -> None:
        """Start without a path."""
        self._config, self._settings, self._kinematics, self._log = config, settings, kinematics, log
        self._box = Workspace.of(config)
        self._poses: Path[Pose] | None = None
        self._joints: Path[Array] | None = None
        self._curve: Curve | None = None
        self._joining = Joining[Pose](settings, sample_pose, mean_pose)
        self._joining_joints = Joining[Array](settings, sample_joints, mean_joints)
        self._jog: Jog | None = None
        self._ik_seed = config.home
        self._openings: list[tuple[float, float]] = []  # when due [s], gripper opening
        self._position = -math.inf
        self._rest_by = math.inf
        self.gripper = math.nan  # opening last due, 0 to 1; NaN before the first, and after a stop
        self.boxed = True  # whether the path has to stay in the workspace

    def clear(self) -> None:
        """Drop the path; gripper and counts stay."""
        self._forget_predictions()
        self._poses = self._joints = self._curve = self._jog = None
        self._openings = []

    @property
    def active(self) -> bool:
        """Whether there is a path."""
        return self._jog is not None or bool(self._curve or self._poses or self._joints)

    @property
    def end(self) -> float:
        """Time of the last step [s]; minus infinity without a path, infinity of one that is led by hand."""
        if self._jog is not None:
            return math.inf
        path = self._curve or self._poses or self._joints
        return path.end if path is not None else -math.inf

    @property
    def rest_by(self) -> float:
        """When the arm must stand still again [s]; infinity where a plan has its own end."""
        return self._rest_by

    @property
    def over(self) -> bool:
        """Whether the reference has come to the path's end."""
        return self._position >= self.end - 1e-9

    def target(self, ahead: float, dt: float, before: Array, reach: Array) -> Array:
        """Joints (n,) [rad] to want ``dt`` [s] after those wanted ``before``, at most ``reach`` (n,) [rad] from them.

        The reference goes along the path with time, up to ``ahead`` [s]. Where the path ended before its next chunk
        came, it waits, and makes up for that little by little: speed does not waver with the chunks' arrival.
        Chunks that ask for more than ``reach`` are followed more slowly, not on another way.
        """
        gain = min(_MOST_GAIN, max(0.0, _CATCH_UP * (ahead - self._position - dt)))
        self._position = time = min(self._position + dt * (1.0 + gain), max(ahead, self._position), self.end)
        if self._curve is not None:
            self._position = min(ahead, self.end)
            return self._curve.sample(self._position)
        if self._jog is not None:
            wanted = self._lead(self._jog.step(), before, np.minimum(reach, dt * self._jog.joint_speed))
            self._jog.wait_for(self._kinematics.fk(wanted))
            return wanted
        if self._poses is not None:
            return self._lead(sample_pose(self._poses, time), before, reach)
        if self._joints is None:
            raise ValueError("there is no path")
        return _towards(sample_joints(self._joints, time), before, reach)

    def _lead(self, pose: Pose, before: Array, reach: Array) -> Array:
        """Joints (n,) [rad] that bring the tool to ``pose``, as far as they come within ``reach`` of ``before``."""
        joints, distance, _ = self._kinematics.ik(before, pose, _IK_ITERATIONS)
        self._ik_seed = _towards(joints, before, reach)
        if distance > _UNREACHABLE_DISTANCE:
            target = pose.position.round(3).tolist()
            self._log.add(Refusal("unreachable", f"the arm comes no nearer to {target} m than {distance:.3f} m"))
        return self._ik_seed

    def advance_gripper(self, now: float) -> None:
        """Take over the gripper openings that have become due."""
        while self._openings and self._openings[0][0] <= now:
            self.gripper = self._openings.pop(0)[1]

    def reference(self, setpoint: Array) -> Reference:
        """Where the arm is led now; ``setpoint`` (n,) [rad] is what was sent last."""
        commanded = self._kinematics.fk(setpoint)
        if self._poses is not None:
            return Reference(setpoint, commanded, self._ik_seed, sample_pose(self._poses, self._position))
        if self._joints is None:
            return Reference(setpoint, commanded, setpoint, commanded)
        joints = sample_joints(self._joints, self._position)
        return Reference(setpoint, commanded, joints, self._kinematics.fk(joints))

    def follow(self, accepted: AcceptedChunk, now: float, setpoint: Array) -> None:
        """Bend the path towards a chunk that passed the gate; ``setpoint`` (n,) [rad] is what was sent last."""
        chunk, plan, present = accepted.chunk, accepted.schedule, self.reference(setpoint)
        self.advance_gripper(now)
        position = self._position if self.active else now + self._settings.smoothing
        self.boxed = True
        if accepted.joints:
            old = self._kept(chunk, self._joints)
            targets = _followed(self._joining_joints, old, plan, accepted.joints)
            self._position = start_time(old, position, plan)
            self._joints = join(old, present.joints, self._position, plan, targets)
            self._poses = None
        else:
            path = self._kept(chunk, self._poses)
            poses = _followed(self._joining, path, plan, accepted.poses)
            self._position = start_time(path, position, plan)
            self._poses = join(path, present.pose, self._position, plan, poses)
            self._ik_seed, self._joints = present.joints, None
        self._rest_by = max(now, plan.times[-1]) + REST_TIME
        openings = [(due, chunk.steps[k].gripper) for k, due in zip(plan.indices, plan.times, strict=True)]
        self._openings = [item for item in self._openings if item[0] < plan.times[0]]
        self._openings += [(due, min(1.0, max(0.0, g))) for due, g in openings if not math.isnan(g)]

    def _kept(self, chunk: ActionChunk, path: Path[Value] | None) -> Path[Value] | None:
        """Return what earlier chunks still had to do; None where the chunk drops it, or says something else."""
        if path is None or _replaces(chunk):
            self._forget_predictions()
            return None
        return path

    def _forget_predictions(self) -> None:
        self._joining.clear()
        self._joining_joints.clear()

    def follow_curve(self, curve: Curve) -> None:
        """Replace the path by a planned trajectory."""
        self._poses = self._joints = None
        self._openings = []
        self._curve, self._rest_by, self.boxed = curve, math.inf, True

    def follow_jog(self, jog: Jog) -> None:
        """Replace the path by a pose that is led by hand."""
        self.clear()
        self._jog, self._rest_by, self.boxed = jog, math.inf, True

    def go(self, now: float, setpoint: Array, joints: Array) -> None:
        """Replace the path by a straight one in joint space from ``setpoint`` to ``joints``, both (n,) [rad].

        It has to stay in the workspace if it begins there: from outside it is the operator's way back.
        """
        speed = _GO_SHARE * self._config.limits.velocity
        duration = max(0.1, float(np.max(np.abs(joints - setpoint) / speed)))
        self._joints = Path((Waypoint(now, setpoint), Waypoint(now + duration, joints)))
        self.boxed = self._box.excess(self._kinematics.fk(setpoint).position) == 0.0
        self._poses, self._rest_by, self._position = None, math.inf, now
        self._openings = []


def _followed(
    joining: Joining[Value], old: Path[Value] | None, plan: Schedule, targets: Sequence[Value]
) -> dict[int, Value]:
    """Return where each step that is not late leads to, after it was joined to what earlier chunks said."""
    joined = joining.join(old, plan.times, [targets[k] for k in plan.indices])
    return dict(zip(plan.indices, joined, strict=True))


def _towards(joints: Array, before: Array, reach: Array) -> Array:
    """From ``before`` towards ``joints``, straight, as far as no joint leaves its ``reach``; all (n,) [rad]."""
    change = joints - before
    nearer: Array = before + change / max(1.0, float(np.max(np.abs(change) / reach)))
    return nearer


def _replaces(chunk: ActionChunk) -> bool:
    """Whether what earlier chunks still had to do is dropped, because the chunk starts from the setpoint."""
    delta = chunk.mode in (ActionMode.EE_DELTA, ActionMode.JOINT_DELTA)
    return (delta and chunk.delta_reference == DeltaReference.COMMANDED) or chunk.mode == ActionMode.JOINT_VELOCITY
