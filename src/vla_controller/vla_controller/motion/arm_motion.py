# SPDX-License-Identifier: Apache-2.0
"""The arm's motion: setpoints along what is planned, or braking; one tick at a time. What may move is decided above."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from vla_core.action import ActionChunk
from vla_core.robot import RobotConfig

from vla_controller.arm.flight import Flight
from vla_controller.arm.following import Following
from vla_controller.arm.kinematics import Kinematics
from vla_controller.intake.targets import AcceptedChunk, Reference
from vla_controller.motion.base_velocity import BaseVelocity
from vla_controller.motion.follower import Advance, Follower
from vla_controller.motion.motion import JointState, Motion
from vla_controller.motion.setpoint import ControllerState, Setpoint
from vla_controller.motion.stream import LEAD
from vla_controller.path.planner import Planner
from vla_controller.refusals import Refusal, RefusalLog
from vla_controller.settings import ControllerSettings
from vla_controller.teleop.command import TeleopCommand
from vla_controller.teleop.jog import Jog
from vla_controller.trajectory.curve import Curve

Array = npt.NDArray[np.float64]

_BESIDE = 0.01  # [rad] between setpoint and arm within which they are at one place


class ArmMotion:
    """Holds the setpoint's state, the plan, and the mobile base; every motion stays inside the limits."""

    def __init__(
        self, config: RobotConfig, settings: ControllerSettings, kinematics: Kinematics, log: RefusalLog, dt: float
    ) -> None:
        """``dt`` [s] between ticks. There is no state before `begin`."""
        self._config, self._log, self._dt = config, log, dt
        self._planner = Planner(config, settings, kinematics, log)
        self._follower = Follower(config, kinematics, settings.smoothing, dt)
        self._following = Following(settings.follow_lag, settings.follow_margin)
        self._flight = Flight()
        self._base = BaseVelocity(config.base, dt, log)
        self._jog = Jog(config, settings, log, dt)
        self._before: JointState | None = None
        self._chunk: ActionChunk | None = None
        self._latency = math.nan
        self._delay = settings.command_lead - LEAD  # [s] by which the arm is led later than usual
        self.state: JointState | None = None  # of the latest setpoint
        self.reason = ""  # why the arm does what it does
        self.leading = False  # the setpoint goes to an arm that does not follow
        self.last_due = -math.inf  # [s] when the last step of the latest chunk is due
        self.rested = 0.0  # [s] for which the setpoint has stood still

    @property
    def at_rest(self) -> bool:
        """Whether the setpoint stands still (or there is none), and the mobile base, if there is one."""
        return self._base.at_rest and (self.state is None or self.state.at_rest)

    @property
    def idle(self) -> bool:
        """Whether the arm stands still and nothing is planned."""
        return self.at_rest and not self._planner.active and not self.leading

    def begin(self, q: Array) -> None:
        """Setpoints begin at rest where the arm stands, ``q`` (n,) [rad]."""
        self.state = self._follower.start(q)
        self._flight.forget()

    def drop(self, reason: str) -> None:
        """Drop what is planned, for the base too: the arm decelerates along its path and holds."""
        self._base.halt()
        self._finish(reason)

    def attended(self) -> None:
        """A person has given an instruction: what the arm did before is forgiven."""
        self._flight.forget()

    def forget_gripper(self) -> None:
        """Command the gripper nothing until a chunk does again."""
        self._planner.gripper = math.nan

    def reference(self, state: JointState) -> Reference:
        """Return where the arm is led now, whose setpoint is ``state``."""
        return self._planner.reference(state.q)

    def follow(self, accepted: AcceptedChunk, state: JointState, now: float) -> None:
        """Bend the path, from the setpoint ``state``, towards a chunk that passed the gate."""
        if not self._planner.active:
            self._follower.begin(state)
            accepted = replace(accepted, schedule=accepted.schedule.from_rest())
        self._planner.follow(accepted, now, state.q)
        self._base.follow(accepted.chunk, accepted.schedule)
        self.last_due = accepted.schedule.times[-1]
        self._chunk, self._latency, self.reason, self.leading = accepted.chunk, math.nan, "", False

    def follow_curve(self, curve: Curve, reason: str) -> None:
        """Follow a planned trajectory instead of everything else."""
        self.reason = reason
        if self.state is not None:
            self._follower.begin(self.state)
        self._planner.follow_curve(curve)

    def begin_jog(self, reason: str) -> None:
        """Lead the tool by hand from where it is and as it moves, instead of everything else."""
        self.reason = reason
        if self.state is not None:
            pose, velocity = self._follower.begin_moving(self.state)
            self._jog.begin(pose, velocity)
            self._planner.follow_jog(self._jog)

    def jog(self, command: TeleopCommand) -> None:
        """Do what a person commands until the next command."""
        self._jog.obey(command)
        if not math.isnan(command.gripper):
            self._planner.gripper = min(1.0, max(0.0, command.gripper))

    def go(self, state: JointState, now: float, joints: Array) -> None:
        """Go straight from the setpoint ``state`` to ``joints`` (n,) [rad]."""
        self._follower.begin(state)
        self._planner.go(now, state.q, joints)

    def coast(self, seconds: float) -> None:
        """The tick is ``seconds`` late: the arm has gone on along the stop that every setpoint ends with."""
        if self.state is not None:
            self.state = self._follower.coast(self.state, seconds)

    def falls_behind(self, stamp: float, measured: Array, led: bool) -> Refusal | None:
        """Return why the arm, ``measured`` (n,) [rad] at ``stamp`` [s], does not follow its setpoints.

        ``led``: a trajectory has the arm, with tolerances of its own.
        """
        refusal = self._following.check(stamp, measured)
        return refusal if self._planner.active and not (led or self.leading) else None

    def lead(self, now: float, place: Array) -> Refusal | None:
        """While `leading`, take the setpoint to ``place`` (n,) [rad]: an arm that is blocked or guided by hand.

        It does not leap then once it is free. Returns why the setpoint does not follow an arm that always moves on.
        """
        limits, state = self._config.limits, self.state
        if not self.leading or state is None or not state.at_rest or self._planner.active:
            return None
        place = np.clip(place, limits.lower, limits.upper)
        self.leading = bool(np.max(np.abs(place - state.q)) > _BESIDE)
        if not self.leading:
            return None
        refusal = self._flight.follow(state.q, place)
        if refusal is None:
            self.go(state, now, place)
        self.leading = refusal is None
        return refusal

    def advance(self, state: JointState, now: float, led: bool) -> Advance:
        """Advance the setpoint by one tick from ``state``; ``led``: a trajectory has the arm, and says when it is over.

        With a hindrance the tick is one of braking, and the caller has to halt.
        """
        self._planner.advance_gripper(now)
        step = self._step(state, now, led)
        self._before, self.state = state, step.way.end
        self._following.tell(now + self._dt + self._delay, self.state.q)
        self.rested = self.rested + self._dt if self.state.at_rest else 0.0
        return step

    def setpoint(self, step: Advance, now: float, estopped: bool) -> Setpoint:
        """Return what the tick ``step`` at ``now`` [s] commands; `advance` was called for it."""
        chunk, state = self._chunk, step.way.end
        before = state if self._before is None else self._before
        ahead = Motion.standing(before, np.zeros(1)).then(step.way)
        return Setpoint(
            stamp=now,
            state=ControllerState.ESTOPPED if estopped else self._controller_state(state, now),
            q=state.q,
            qd=state.qd,
            qdd=state.qdd,
            reference=self._follower.wanted(now + self._dt, state.q),
            gripper=self._planner.gripper,
            instruction_id=chunk.instruction_id if chunk is not None else "",
            chunk_sequence=chunk.sequence if chunk is not None else 0,
            chunk_stamp_ns=(chunk.stamp_ns or round(chunk.stamp * 1e9)) if chunk is not None else 0,
            stamp_to_setpoint=self._latency,
            reason=self.reason,
            ahead=ahead.then(step.stop.part(slice(1, None)).shifted(self._dt)),
            base=self._base.tick(now),
        )

    def _step(self, state: JointState, now: float, led: bool) -> Advance:
        if not self._planner.active:
            return self._follower.brake(state)
        if math.isnan(self._latency) and self._chunk is not None:
            self._latency = now - self._chunk.stamp
        step = self._follower.advance(state, self._planner, now)
        if step.hindrance is None and step.done and not led:
            self._finish(self.reason if self.leading else "the last step is done")
        return step

    def _finish(self, reason: str) -> None:
        self.leading = False
        self._planner.clear()
        self._follower.forget()
        if self.state is not None:
            self.reason = reason

    def _controller_state(self, state: JointState, now: float) -> ControllerState:
        if now < self._planner.end or (self._planner.active and not self._planner.over):
            return ControllerState.TRACKING
        return ControllerState.HOLDING if state.at_rest and not self._planner.active else ControllerState.STOPPING
