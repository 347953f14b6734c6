# SPDX-License-Identifier: Apache-2.0
"""The controller without ROS: chunks and joint states in, one jerk-limited setpoint a tick out. Time is passed in."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from vla_core.action import ActionChunk
from vla_core.robot import RobotConfig

from vla_controller.arm.arm_watch import ArmWatch
from vla_controller.arm.following import Following
from vla_controller.arm.kinematics import Kinematics
from vla_controller.intake.intake import Intake
from vla_controller.intake.targets import AcceptedChunk
from vla_controller.motion.base_velocity import BaseVelocity
from vla_controller.motion.follower import Advance, Follower
from vla_controller.motion.motion import JointState, Motion
from vla_controller.motion.planner import Planner
from vla_controller.motion.setpoint import ControllerState, Setpoint
from vla_controller.refusals import Refusal, RefusalLog
from vla_controller.settings import ControllerSettings
from vla_controller.trajectory.goal import ErrorCode, TrajectoryGoal
from vla_controller.trajectory.owner import TrajectoryOwner
from vla_controller.trajectory.run import TrajectoryRun

Array = npt.NDArray[np.float64]

_BESIDE = 0.01  # [rad] between setpoint and arm within which they are at one place
_LAST_WORD = 0.5  # [s] for which a setpoint at rest is repeated while joint states are stale or in doubt


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
        self.operator_gone: Refusal | None = None  # set from outside: why nothing may move
        self._dt = dt
        self.reset()

    def reset(self, stands_at: Array | None = None) -> None:
        """Forget arm, instruction, chunks, e-stop and counts, as if just made. For the start of a simulated episode.

        ``stands_at`` (n,) [rad]: where a simulated arm is known to stand; None: joint states have to agree first.
        """
        config, settings = self.config, self.settings
        self.log.clear()
        self._planner = Planner(config, settings, self.kinematics, self.log)
        self._follower = Follower(config, self.kinematics, settings.smoothing, self._dt)
        self._base = BaseVelocity(config.base, self._dt, self.log)
        tool = self.kinematics.tool_position
        self._intake = Intake(config, settings, tool, self.log)
        self._owner = TrajectoryOwner(config, settings, tool, self.log)
        self.watch = ArmWatch(settings, config)
        self._following = Following(settings.follow_lag, settings.follow_margin)
        self._state: JointState | None = None
        self._estopped, self._engaged = False, True
        self._rival: Refusal | None = None
        self._last_tick = self._latency = math.nan
        self._chunk: ActionChunk | None = None
        self._reason, self._leading, self._rested = "", False, 0.0
        self.chunks_accepted = 0
        if stands_at is not None:
            self.watch.stands_at(stands_at)
            self._begin("holding where the arm was found")

    @property
    def steps_late(self) -> int:
        """Steps that were already past when their chunk came."""
        return self._intake.steps_late

    @property
    def stopped(self) -> bool:
        """Whether a new instruction is needed before chunks are followed."""
        return self._intake.stopped

    @property
    def at_rest(self) -> bool:
        """Whether the setpoint stands still (or nothing was ever sent), and the mobile base, if there is one."""
        return self._base.at_rest and (self._state is None or self._state.at_rest)

    @property
    def measured(self) -> Array | None:
        """Joints of the latest joint state (n,) [rad]; None before the first."""
        return self.watch.q

    def withholds(self, now: float) -> bool:
        """Whether setpoints at rest need not be sent: nobody knows where the arm is, and it would leap to them."""
        return self._rested > _LAST_WORD and self.watch.hindrance(now) is not None

    def update_joint_state(self, stamp: float, q: Array, qd: Array) -> bool:
        """Take the arm's measured joints (n,) [rad], [rad/s]; whether they are believed.

        Setpoints begin where the arm has stood for a while. Later joint states never move them faster than the limits.
        """
        sighting = self.watch.update(stamp, q, qd, self._state, led=self._owner.active)
        if sighting.refusal is not None:
            self.log.add(sighting.refusal)
        if sighting.restart:
            self._begin(sighting.restart)
        elif sighting.hold:
            self.halt(sighting.hold)
            self._leading = sighting.lead
        return self.watch.q is q

    def confirm_posture(self, now: float) -> Refusal | None:
        """Begin where the joint states show the arm, as a person has confirmed; motion needs a new instruction."""
        refusal = self.watch.confirm(now)
        if refusal is not None:
            return self.log.add(refusal)
        self._intake.stopped = True
        self._begin("the posture was confirmed; waiting for a new instruction")
        return None

    def set_instruction(self, instruction_id: str, stop: bool = False) -> None:
        """The operator's instruction: chunks of any other are refused from now on; ``stop`` halts at once."""
        if stop:
            self.stop("the operator said stop")
        elif instruction_id != self._intake.instruction or self._intake.stopped:
            self._intake.stopped = False
            if not self._owner.active:  # else the policy's turn comes when the trajectory is over
                self.halt("new instruction")
        self._intake.instruction = instruction_id

    def notice_rival(self, rival: Refusal | None) -> None:
        """Halt while somebody else commands the arm, and refuse everything for that reason; None: nobody does."""
        if rival is not None and (self._rival is None or not self.at_rest):
            self.halt(rival.reason)
        self._rival = rival

    def stop(self, reason: str) -> None:
        """Halt, the gripper too; chunks are refused until a new instruction comes."""
        self._intake.stopped = True
        self.halt(reason)
        self._planner.gripper = math.nan

    def disengage(self, reason: str) -> None:
        """Stop and refuse all motion until `engage`."""
        self._engaged = False
        self.stop(reason)

    def engage(self) -> None:
        """Allow motion; after `disengage` upon a new instruction alone."""
        self._intake.stopped = self._intake.stopped or not self._engaged
        self._engaged = True

    def estop(self) -> None:
        """Decelerate as hard as the limits allow and hold until :meth:`reset_estop`."""
        self._estopped = True
        self.halt("emergency stop")
        self._planner.gripper = math.nan

    def reset_estop(self) -> Refusal | None:
        """Leave the emergency stop; refused while anything moves. Motion needs a new instruction after that."""
        if not self.at_rest:
            return self.log.add(Refusal("estop_moving", "the arm is still decelerating; reset is possible at rest"))
        if self._estopped:
            self._estopped, self._intake.stopped = False, True
            self.halt("emergency stop reset; waiting for a new instruction")
        return None

    def go_home(self, now: float) -> Refusal | None:
        """Move to the robot's home joints from wherever it is; chunks are refused until a new instruction comes."""
        refusal = self.hindrance(now)
        if refusal is not None or self._state is None:
            return self.log.add(refusal or Refusal("joint_state_stale", self.watch.waiting()))
        self.halt("going home")
        self._intake.stopped = True
        self._follower.begin(self._state)
        self._planner.go(now, self._state.q, self.config.home)
        return None

    def start_trajectory(self, goal: TrajectoryGoal, now: float) -> TrajectoryRun:
        """Take the arm from its owner and lead it along ``goal``; chunks are refused until it is over.

        A trajectory that still runs is aborted. After it the arm holds, and the policy needs a new instruction.

        Raises:
            GoalError: the goal is not executed; whoever owns the arm keeps it.
        """
        run = self._owner.admit(goal, self._state, self.hindrance(now), now)
        self.halt("replaced by a newer trajectory" if self._owner.active else "a trajectory takes the arm")
        self._owner.take(run)
        self._intake.stopped, self._reason = True, "following a trajectory"
        if self._state is not None:
            self._follower.begin(self._state)
        self._planner.follow_curve(run.curve)
        return run

    def cancel_trajectory(self) -> None:
        """Slow the running trajectory down along its path, if there is one."""
        self._owner.cancel()

    def halt(self, reason: str) -> None:
        """Drop what is planned, decelerate and hold; later chunks are followed again."""
        self._intake.situation_changed()
        self._owner.end(reason)
        self._base.halt()
        self._finish(reason)

    def judge(self, chunk: ActionChunk, now: float) -> AcceptedChunk | Refusal:
        """Let a chunk through the gate at time ``now`` [s], or count and return why not; nothing moves yet."""
        refusal = self.hindrance(now) or self._owner.refusal()
        if refusal is not None or self._state is None:
            return self.log.add(refusal or Refusal("joint_state_stale", self.watch.waiting()))
        return self._intake.judge(chunk, now, self._planner.reference(self._state.q))

    def follow(self, accepted: AcceptedChunk, now: float) -> Refusal | None:
        """Follow a chunk that passed the gate, at time ``now`` [s]; it is judged again if the arm was halted since."""
        if self._state is None or not self._intake.holds(accepted):
            return self.accept(accepted.chunk, now)
        if not self._planner.active:
            self._follower.begin(self._state)
        self._intake.took(accepted)
        self._planner.follow(accepted, now, self._state.q)
        self._base.follow(accepted.chunk, accepted.schedule)
        self._chunk, self._latency, self._reason, self._leading = accepted.chunk, math.nan, "", False
        self.chunks_accepted += 1
        return None

    def accept(self, chunk: ActionChunk, now: float) -> Refusal | None:
        """Judge a chunk at time ``now`` [s] and follow it from there, or say why not."""
        verdict = self.judge(chunk, now)
        return verdict if isinstance(verdict, Refusal) else self.follow(verdict, now)

    def coast(self, seconds: float) -> None:
        """The tick is ``seconds`` late: the arm has gone on along the stop that every setpoint ends with."""
        if self._state is not None:
            self._state = self._follower.coast(self._state, seconds)

    def tick(self, now: float) -> Setpoint | None:
        """Advance by one tick at time ``now`` [s]; None while no joint state has come."""
        self._look_around(now)
        if self._state is None:
            return None
        self._check_following()
        if self._leading:
            self._lead(self._state, now)
        self._planner.advance_gripper(now)
        before = self._state
        step = self._advance(before, now) if self._planner.active else self._follower.brake(before)
        self._state = step.way.end
        self._following.tell(now + self._dt, self._state.q)
        self._rested = self._rested + self._dt if self._state.at_rest else 0.0
        outcome = self._owner.judge(now, self._state.at_rest, self.watch.q)
        if outcome is not None:
            self.halt(f"trajectory: {outcome.text}")
            self._leading = outcome.code == ErrorCode.PATH_TOLERANCE_VIOLATED
        start = Motion.standing(before, np.zeros(1))
        ahead = start.then(step.way).then(step.stop.part(slice(1, None)).shifted(self._dt))
        return self._setpoint(self._state, ahead, now)

    def _begin(self, reason: str) -> None:
        """Setpoints begin at rest where the arm stands."""
        if self.watch.q is not None:
            self._state = self._follower.start(self.watch.q)
            self.halt(reason)

    def _check_following(self) -> None:
        """Hold when the arm does not follow, and lead the setpoint back to it, so that the arm never leaps."""
        if self.watch.q is None:
            return
        refusal = self._following.check(self.watch.stamp, self.watch.q)
        led = self._owner.active or self._leading  # a trajectory has tolerances of its own
        if refusal is not None and self._planner.active and not led:
            self.halt(self.log.add(refusal).reason)
            self._leading = True

    def _lead(self, state: JointState, now: float) -> None:
        """Take the setpoint to an arm that is blocked or guided by hand, so that it does not leap once it is free."""
        limits = self.config.limits
        place = np.clip(state.q if self.watch.q is None else self.watch.q, limits.lower, limits.upper)
        if state.at_rest and not self._planner.active and np.max(np.abs(place - state.q)) > _BESIDE:
            self._follower.begin(state)
            self._planner.go(now, state.q, place)

    def _finish(self, reason: str) -> None:
        self._leading = False
        self._planner.clear()
        self._follower.forget()
        if self._state is not None:
            self._reason = reason

    def hindrance(self, now: float) -> Refusal | None:
        """Return why nothing may move at ``now`` [s], whatever is asked for."""
        if self._estopped:
            return Refusal("estopped", "the emergency stop is latched; call the reset service")
        if not self._engaged:
            return Refusal("inactive", "the controller is inactive; activate controller_node")
        return self.operator_gone or self._rival or self.watch.hindrance(now)

    def _look_around(self, now: float) -> None:
        """Notice a clock that jumps and joint states that stop."""
        if now < self._last_tick or now - self._last_tick > self.settings.max_clock_jump:
            self.log.add(Refusal("clock_jump", f"the clock went from {self._last_tick:.3f} to {now:.3f} s"))
            if now < self._last_tick:
                self._intake.clock_went_back()
                self.watch.clock_went_back(now)
            self.halt("the clock jumped")
        self._last_tick = now
        silence = None if self._state is None else self.watch.fell_silent(now)
        if silence is not None:
            self.halt(self.log.add(silence).reason)

    def _advance(self, state: JointState, now: float) -> Advance:
        if math.isnan(self._latency) and self._chunk is not None:
            self._latency = now - self._chunk.stamp
        step = self._follower.advance(state, self._planner, now)
        if step.hindrance is not None:
            self.halt(self.log.add(step.hindrance).reason)
        elif step.done and not self._owner.active:
            self._finish(self._reason if self._leading else "the last step is done")
        return step

    def _setpoint(self, state: JointState, ahead: Motion, now: float) -> Setpoint:
        chunk = self._chunk
        return Setpoint(
            stamp=now,
            state=self._controller_state(state, now),
            q=state.q,
            qd=state.qd,
            qdd=state.qdd,
            reference=self._follower.wanted(now + self._dt, state.q),
            gripper=self._planner.gripper,
            instruction_id=chunk.instruction_id if chunk is not None else "",
            chunk_sequence=chunk.sequence if chunk is not None else 0,
            chunk_stamp_ns=(chunk.stamp_ns or round(chunk.stamp * 1e9)) if chunk is not None else 0,
            stamp_to_setpoint=self._latency,
            reason=self._reason,
            ahead=ahead,
            base=self._base.tick(now),
        )

    def _controller_state(self, state: JointState, now: float) -> ControllerState:
        if self._estopped:
            return ControllerState.ESTOPPED
        if now < self._planner.end or (self._planner.active and not self._planner.over):
            return ControllerState.TRACKING
        return ControllerState.HOLDING if state.at_rest and not self._planner.active else ControllerState.STOPPING
