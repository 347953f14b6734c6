# SPDX-License-Identifier: Apache-2.0
"""The controller without ROS: chunks and joint states in, one jerk-limited setpoint a tick out. Time is passed in."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from vla_controller.chunk import ActionMode, Chunk, DeltaReference, Refusal
from vla_controller.gate import JOINT_MODES, GateContext, check_chunk, check_first_target, clamp_to_workspace
from vla_controller.kinematics import Kinematics
from vla_controller.limiter import JointState, SetpointLimiter
from vla_controller.reference import (
    Path,
    Schedule,
    join,
    joint_targets,
    pose_targets,
    sample_joints,
    sample_pose,
    schedule,
)
from vla_controller.refusals import RefusalLog
from vla_controller.robot_config import RobotConfig
from vla_controller.rotation import Pose
from vla_controller.settings import ControllerSettings
from vla_controller.smoothing import ReferenceFilter

Array = npt.NDArray[np.float64]

_SETTLE_TIME = 1.0  # [s] after a path's end, at most, to reach it
_SETTLED = 1e-4  # [rad], [rad/s] within which a path counts as done
_UNREACHABLE_DISTANCE = 0.02  # [m] between a target and the nearest pose that the arm can take
_RESYNC_DISTANCE = 0.02  # [rad] between setpoint and arm when its joint states come back


class ControllerState(IntEnum):
    """Values equal the constants of vla_msgs/ControllerStatus."""

    WAITING = 0
    HOLDING = 1
    TRACKING = 2
    STOPPING = 3
    ESTOPPED = 4


@dataclass(frozen=True, slots=True)
class Setpoint:
    """What one tick commands: the arm is to be at ``q`` one tick after ``stamp``."""

    stamp: float  # [s] when the tick ran
    state: ControllerState
    q: Array  # (n,) [rad]
    qd: Array  # (n,) [rad/s]
    qdd: Array  # (n,) [rad/s^2]
    reference: Array  # (n,) [rad] where the chunks want the joints at that time
    gripper: float  # opening last commanded, 0 to 1; NaN before the first command
    instruction_id: str  # of the chunk being followed, or followed last
    chunk_sequence: int
    chunk_stamp: float  # [s]; NaN before the first chunk
    stamp_to_setpoint: float  # [s] chunk_stamp to the first setpoint that follows the chunk; NaN before the first
    reason: str  # why the state is what it is


class ArmController:
    """Turns any stream of action chunks into motion inside the robot's limits, or into a stop.

    Methods must not be called from several threads at once.
    """

    def __init__(self, config: RobotConfig, dt: float, settings: ControllerSettings | None = None) -> None:
        """``dt`` [s] is the time between two calls of :meth:`tick`."""
        if not 0.0 < dt <= 0.2:
            raise ValueError(f"dt is {dt} s; must be in (0, 0.2] s")
        self.config = config
        self.settings = settings or ControllerSettings()
        self.kinematics = Kinematics(config)
        self.log = RefusalLog()
        self._dt = dt
        self.reset()

    def reset(self) -> None:
        """Forget arm, instruction, chunks, e-stop and counts, as if just made. For the start of a simulated episode."""
        self.log.clear()
        self._limiter = SetpointLimiter(self.config.limits, self._dt)
        self._filter = ReferenceFilter(self.settings.smoothing, self._dt)
        self._state: JointState | None = None
        self._joint_stamp = -math.inf
        self._stale = False
        self._instruction: str | None = None
        self._stopped = self._estopped = False
        self._last_tick = math.nan
        self._last_order: tuple[float, int] | None = None
        self._poses: Path[Pose] | None = None
        self._joints: Path[Array] | None = None
        self._ik_seed = self.config.home
        self._preview: deque[tuple[float, Array]] = deque(maxlen=256)
        self._gripper = self._latency = math.nan
        self._gripper_applied = -math.inf
        self._chunk: Chunk | None = None
        self._reason = "no joint state yet"
        self.chunks_accepted = self.steps_late = 0

    def update_joint_state(self, stamp: float, q: Array, qd: Array) -> None:
        """Take the arm's measured joints (n,) [rad], [rad/s]; the first ones are where the setpoints begin."""
        if not (np.all(np.isfinite(q)) and np.all(np.isfinite(qd))) or q.shape != self.config.home.shape:
            self.log.add(Refusal("non_finite", f"joint state {q.tolist()}, {qd.tolist()}"))
            return
        self._joint_stamp = max(stamp, self._joint_stamp) if stamp > self._joint_stamp - 1.0 else stamp
        if self._state is None:
            self._state = self._limiter.start(q, qd)
            self._reason = "holding where the arm was found"
        elif self._stale and self._state.at_rest and np.max(np.abs(q - self._state.q)) > _RESYNC_DISTANCE:
            self._state = self._limiter.start(q, qd)
            self._reason = "holding where the arm was found again"

    def set_instruction(self, instruction_id: str, stop: bool = False) -> None:
        """The operator's instruction: chunks of any other are refused from now on; ``stop`` halts at once."""
        if stop:
            self._stopped = True
            self._halt("the operator said stop")
        elif instruction_id != self._instruction or self._stopped:
            self._stopped = False
            self._halt("new instruction")
        self._instruction = instruction_id

    def estop(self) -> None:
        """Decelerate as hard as the limits allow and hold until :meth:`reset_estop`."""
        self._estopped = True
        self._halt("emergency stop")

    def reset_estop(self) -> Refusal | None:
        """Leave the emergency stop; refused while anything moves."""
        if self._state is not None and not self._state.at_rest:
            return self.log.add(Refusal("estop_moving", "the arm is still decelerating; reset is possible at rest"))
        self._estopped = False
        self._reason = "emergency stop reset"
        return None

    def halt(self, reason: str) -> None:
        """Drop what is planned, decelerate and hold; later chunks are followed again."""
        self._halt(reason)

    @property
    def at_rest(self) -> bool:
        """Whether the setpoint stands still (or nothing was ever sent)."""
        return self._state is None or self._state.at_rest

    def accept(self, chunk: Chunk, now: float) -> Refusal | None:
        """Judge a chunk at time ``now`` [s] and follow it from there, or say why not."""
        refusal = self._ready(now) or check_chunk(chunk, self._context(now))
        if refusal is None:
            plan = schedule(chunk, now, self.settings.latency_budget)
            refusal = self._follow(chunk, plan, now) if plan.indices else _all_late(chunk, plan, now)
            self.steps_late += plan.late
        if refusal is not None:
            return self.log.add(refusal)
        self._last_order = (chunk.stamp, chunk.sequence)
        self._chunk, self._latency = chunk, math.nan
        self.chunks_accepted += 1
        self._reason = ""
        return None

    def tick(self, now: float) -> Setpoint | None:
        """Advance by one tick at time ``now`` [s]; None while no joint state has come."""
        self._watch(now)
        if self._state is None:
            return None
        if self._poses is None and self._joints is None:
            self._state = self._limiter.brake(self._state)
        else:
            self._state = self._advance(self._state, now)
        return self._setpoint(self._state, now)

    def _ready(self, now: float) -> Refusal | None:
        if self._estopped:
            return Refusal("estopped", "the emergency stop is latched; call the reset service")
        if now - self._joint_stamp > self.settings.joint_state_timeout:
            return self._stale_refusal(now)
        return None

    def _stale_refusal(self, now: float) -> Refusal:
        age = now - self._joint_stamp
        most = self.settings.joint_state_timeout
        return Refusal("joint_state_stale", f"the latest joint state is {age:.3f} s old; at most {most} s")

    def _context(self, now: float) -> GateContext:
        return GateContext(now, self.config, self.settings, self._instruction, self._stopped, self._last_order)

    def _follow(self, chunk: Chunk, plan: Schedule, now: float) -> Refusal | None:
        if self._state is None:
            return self._stale_refusal(now)
        self._apply_gripper(now)
        if self._poses is None and self._joints is None:
            self._filter.start(self._state.q)
        if chunk.mode in JOINT_MODES:
            return self._follow_joints(chunk, plan, now, self._state)
        return self._follow_poses(chunk, plan, now, self._state)

    def _follow_poses(self, chunk: Chunk, plan: Schedule, now: float, state: JointState) -> Refusal | None:
        commanded = self.kinematics.fk(state.q)
        present = commanded
        if self._poses is not None:
            present = sample_pose(self._poses, now)
        elif self._joints is not None:
            present = self.kinematics.fk(sample_joints(self._joints, now))
        targets = pose_targets(chunk, commanded)
        first = targets[plan.indices[0]]
        refusal = check_first_target(present, first, self.settings, chunk.mode == ActionMode.EE_POSE)
        if refusal is not None:
            return refusal
        clamped = [clamp_to_workspace(target, self.config) for target in targets]
        if any(clamped[k][1] for k in plan.indices):
            outside = next(targets[k].position.round(3).tolist() for k in plan.indices if clamped[k][1])
            self.log.add(Refusal("workspace_clamped", f"target {outside} m moved onto {self._box()}"))
        if self._poses is None:
            self._ik_seed = state.q
        old = None if _starts_from_setpoint(chunk) else self._poses
        self._poses = join(old, present, now, chunk, plan, [pose for pose, _ in clamped])
        self._joints = None
        return None

    def _box(self) -> str:
        return f"the box {self.config.workspace_lower.tolist()} to {self.config.workspace_upper.tolist()} m"

    def _follow_joints(self, chunk: Chunk, plan: Schedule, now: float, state: JointState) -> Refusal | None:
        present = state.q
        if self._joints is not None:
            present = sample_joints(self._joints, now)
        targets = joint_targets(chunk, self.config.joints, plan, state.q, present)
        refusal = check_first_target(present, targets[plan.indices[0]], self.settings, False)
        if refusal is not None:
            return refusal
        limits = self.config.limits
        inside = [np.clip(target, limits.lower, limits.upper) for target in targets]
        if any(np.any(inside[k] != targets[k]) for k in plan.indices):
            self.log.add(Refusal("joint_limit_clamped", "a target was moved onto the joints' position limits"))
        old = None if _starts_from_setpoint(chunk) else self._joints
        self._joints = join(old, present, now, chunk, plan, inside)
        self._poses = None
        return None

    def _watch(self, now: float) -> None:
        """Notice a clock that jumps and joint states that stop."""
        if now < self._last_tick or now - self._last_tick > self.settings.max_clock_jump:
            self.log.add(Refusal("clock_jump", f"the clock went from {self._last_tick:.3f} to {now:.3f} s"))
            if now < self._last_tick:
                self._last_order, self._joint_stamp = None, min(self._joint_stamp, now)
            self._halt("the clock jumped")
        self._last_tick = now
        stale = self._state is not None and now - self._joint_stamp > self.settings.joint_state_timeout
        if stale and not self._stale:
            self._halt(self.log.add(self._stale_refusal(now)).reason)
        self._stale = stale

    def _halt(self, reason: str) -> None:
        self._poses = self._joints = None
        self._preview.clear()
        if self._state is not None:
            self._reason = reason

    def _advance(self, state: JointState, now: float) -> JointState:
        end, ahead = self._end(), now + self._dt + self.settings.smoothing
        target = self._target(min(ahead, end))
        self._preview.append((ahead, target))
        self._apply_gripper(now)
        if math.isnan(self._latency) and self._chunk is not None:
            self._latency = now - self._chunk.stamp
        wish, over = self._filter.step(state, target), now >= end
        if over and np.max(np.abs(wish.q - target)) < _SETTLED and np.max(np.abs(wish.qd)) < _SETTLED:
            wish = JointState(target, np.zeros_like(target), np.zeros_like(target))
        after = self._limiter.track(state, wish, target)
        done = after.at_rest and bool(np.max(np.abs(after.q - target)) < _SETTLED)
        if over and (done or now - end > _SETTLE_TIME):
            self._halt("the last step is done")
        return after

    def _end(self) -> float:
        path = self._poses or self._joints
        return path.end if path is not None else -math.inf

    def _target(self, time: float) -> Array:
        """Joints that the path wants at ``time`` (n,) [rad]."""
        if self._poses is None:
            assert self._joints is not None
            return sample_joints(self._joints, time)
        pose = sample_pose(self._poses, time)
        self._ik_seed, distance, _ = self.kinematics.ik(self._ik_seed, pose)
        if distance > _UNREACHABLE_DISTANCE:
            target = pose.position.round(3).tolist()
            self.log.add(Refusal("unreachable", f"the arm comes no nearer to {target} m than {distance:.3f} m"))
        return self._ik_seed

    def _apply_gripper(self, now: float) -> None:
        path = self._poses or self._joints
        for waypoint in path.waypoints if path is not None else ():
            if self._gripper_applied < waypoint.time <= now and not math.isnan(waypoint.gripper):
                self._gripper = min(1.0, max(0.0, waypoint.gripper))
        self._gripper_applied = now

    def _setpoint(self, state: JointState, now: float) -> Setpoint:
        while len(self._preview) > 1 and self._preview[1][0] <= now + self._dt + 1e-9:
            self._preview.popleft()
        following = self._preview and self._preview[0][0] <= now + self._dt + 1e-9
        chunk = self._chunk
        return Setpoint(
            stamp=now,
            state=self._controller_state(state, now),
            q=state.q,
            qd=state.qd,
            qdd=state.qdd,
            reference=self._preview[0][1] if following else state.q,
            gripper=self._gripper,
            instruction_id=chunk.instruction_id if chunk is not None else "",
            chunk_sequence=chunk.sequence if chunk is not None else 0,
            chunk_stamp=chunk.stamp if chunk is not None else math.nan,
            stamp_to_setpoint=self._latency,
            reason=self._reason,
        )

    def _controller_state(self, state: JointState, now: float) -> ControllerState:
        if self._estopped:
            return ControllerState.ESTOPPED
        if now < self._end():
            return ControllerState.TRACKING
        return ControllerState.HOLDING if state.at_rest else ControllerState.STOPPING


def _starts_from_setpoint(chunk: Chunk) -> bool:
    """Whether what an earlier chunk still had to do is replaced as a whole."""
    commanded = chunk.mode in (ActionMode.EE_DELTA, ActionMode.JOINT_DELTA)
    return (commanded and chunk.delta_reference == DeltaReference.COMMANDED) or chunk.mode == ActionMode.JOINT_VELOCITY


def _all_late(chunk: Chunk, plan: Schedule, now: float) -> Refusal:
    return Refusal("all_steps_late", f"all {plan.late} steps were due before {now:.3f} s; stamp {chunk.stamp:.3f} s")
