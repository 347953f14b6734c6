# SPDX-License-Identifier: Apache-2.0
"""Watches the arm's measured joints: are they fresh, possible and of one mind, and does the arm follow?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from vla_core.robot import RobotConfig

from vla_controller.arm.agreement import Agreement
from vla_controller.motion.motion import JointState
from vla_controller.refusals import Refusal
from vla_controller.settings import ControllerSettings

Array = npt.NDArray[np.float64]

_JUMP = 0.1  # [rad] between two joint states, or between arm and setpoint, that needs no explanation
_LONGEST_STEP = 0.1  # [s] between two joint states over which a motion is believed that nobody commanded
_BEYOND = 1.0  # [rad] outside the limits up to which an arm may be found; farther is a broken sensor, or degrees
_LAG = 0.6  # [s] by which a moving arm, and what is known of it, may be late
_EASE = 4.0  # [rad/s^2] at which that allowance ends after a motion
_MEMORY = 2.0  # [s] in which a second impossible joint state raises doubt; a single one is dropped
_LEAST_CONFIRMED = 0.5  # [s] of agreement that a person can confirm
_SETTLED = 0.5  # [s] of a setpoint at rest near the arm, after which a fault no longer counts
_MOST_LEADS = 5  # after one fault: an arm that sags under its load must not be followed all the way down
_ALTERNATIONS = 3  # postures that took turns, from which on two publishers are the likely cause


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a joint state means for the setpoints."""

    refusal: Refusal | None = None
    hold: str = ""  # why the arm brakes and the setpoint is held; empty: it continues
    restart: str = ""  # why the setpoints begin where the arm stands
    lead: bool = False  # the setpoint goes to the arm, at a speed inside the limits


class ArmWatch:
    """The latest believed joints, their age, and whether joint states can be believed at all.

    A joint state is believed when the arm can have come there from the one before, or where it was commanded to be.
    After two that are not, within two seconds, nothing is believed until joint states of a standing arm agree:
    near the setpoint they are believed again, elsewhere after a person's word.
    """

    def __init__(self, settings: ControllerSettings, config: RobotConfig) -> None:
        """Nothing is known of the arm."""
        limits = config.limits
        self._settings, self._joints, self._top_speed = settings, config.joints, limits.velocity
        self._low, self._high = limits.lower - _BEYOND, limits.upper + _BEYOND
        self._pace = np.zeros_like(limits.velocity)  # (n,) [rad/s] of recent setpoints
        self._agreement = Agreement(config, settings.joint_state_timeout)
        self._strange: list[float] = []  # [s] stamps of the latest joint states that were dropped
        self.doubt: Refusal | None = None  # why joint states are not believed any more
        self._silent = False
        self._leads = 0  # that are left after the latest fault; 0: the setpoint is at the arm
        self.stamp = -math.inf
        self.q: Array | None = None
        self.publishers: tuple[str, ...] = ()  # nodes that publish joint states, for accounts of a doubt

    @property
    def believed(self) -> bool:
        """Whether the arm is where the latest joint states show it."""
        return self.q is not None and self.doubt is None

    def stands_at(self, q: Array) -> None:
        """Believe that the arm stands at ``q`` (n,) [rad]."""
        self._believe(self.stamp, q)

    def update(self, stamp: float, q: Array, qd: Array, setpoint: JointState | None, led: bool = False) -> Sighting:
        """Take a joint state (n,) [rad], [rad/s] of ``stamp`` [s]; ``setpoint`` was sent last, None: nothing yet.

        ``led``: somebody else judges whether the arm follows.
        """
        impossible = self._impossible(q, qd)
        if impossible is None and stamp < self.stamp:
            return Sighting()  # overtaken on its way
        if self.believed and setpoint is not None:
            return self._take(stamp, q, setpoint, led, impossible)
        if impossible is not None:
            self._agreement.interrupt()
            return Sighting(impossible)
        self._agreement.add(stamp, q, qd)
        if self.q is None or setpoint is None:
            return self._begin(stamp)
        return self._reconsider(stamp, q, setpoint)

    def confirm(self, now: float) -> Refusal | None:
        """A person says that the arm stands where the joint states show it; a refusal when they show no such place."""
        latest, agreed = self._agreement.latest, self._agreement.duration
        if self.believed:
            return Refusal("nothing_to_confirm", "the joint states are believed already")
        if agreed < _LEAST_CONFIRMED or now - latest > self._settings.joint_state_timeout:
            reason = f"joint states agree on a standing arm for {agreed:.2f} s; needed: {_LEAST_CONFIRMED} s, up to now"
            return Refusal("posture_unclear", reason)
        outside = self._agreement.outside()
        if outside:
            return Refusal("posture_unclear", f"{outside}; move the arm inside by hand first")
        self._believe(latest, self._agreement.q)
        return None

    def contradict(self, refusal: Refusal) -> str:
        """Doubt the joint states because of what the arm did; return why."""
        self.doubt = self._account(refusal)
        self._agreement.clear()
        return refusal.reason

    def hindrance(self, now: float) -> Refusal | None:
        """Why nothing may move at ``now`` [s] for what is known of the arm."""
        if self.doubt is not None:
            return self.doubt
        if self.q is None:
            return Refusal("joint_state_stale", self.waiting())
        return self.stale(now)

    def waiting(self) -> str:
        """What is missing before the first setpoint."""
        if not self._agreement.q.size:
            return "no joint state yet"
        wanted, agreed = self._wanted(), self._agreement.duration
        why = self._agreement.suspicion() or f"joint states agree on a standing arm for {agreed:.2f} of {wanted} s"
        return f"waiting for a posture to begin from: {why}{self._sources()}"

    def stale(self, now: float) -> Refusal | None:
        """Refusal when the latest believed joint state is too old at ``now`` [s]."""
        age, timeout = now - self.stamp, self._settings.joint_state_timeout
        if age <= timeout:
            return None
        return Refusal("joint_state_stale", f"the latest joint state is {age:.3f} s old; at most {timeout} s")

    def fell_silent(self, now: float) -> Refusal | None:
        """The refusal of :meth:`stale`, once each time that joint states become too old."""
        refusal, before = self.stale(now), self._silent
        self._silent = refusal is not None
        if self._silent and not before:
            self.suspect()
        return None if before or self.doubt is not None else refusal

    def suspect(self) -> None:
        """Note a fault after which the setpoint may be apart from the arm: refused commands, a blocked arm, silence."""
        self._leads = _MOST_LEADS

    def is_apart(self, setpoint: JointState, rested: float) -> bool:
        """Return whether, after a fault, the setpoint has to return to the arm.

        Hysteresis: only a fault makes the two count as apart, and only a setpoint that has rested for a while within
        `start_tolerance` of the arm ends it.

        Args:
            setpoint: state sent last.
            rested: time for which it has been at rest [s].
        """
        if self._leads == 0 or self.q is None or not setpoint.at_rest:
            return False
        if np.max(np.abs(self.q - setpoint.q)) <= self._settings.start_tolerance:
            self._leads = 0 if rested >= _SETTLED else self._leads
            return False
        self._leads -= 1
        return True

    def clock_went_back(self, now: float) -> None:
        """Forget stamps that now lie in the future."""
        self.stamp = min(self.stamp, now)
        self._agreement.clear()

    def _believe(self, stamp: float, q: Array) -> None:
        self.stamp, self.q, self.doubt = stamp, q, None
        self._strange.clear()
        self._agreement.clear()
        self._silent = False

    def _impossible(self, q: Array, qd: Array) -> Refusal | None:
        shape = self._top_speed.shape
        if q.shape != shape or qd.shape != shape or not (np.all(np.isfinite(q)) and np.all(np.isfinite(qd))):
            text = f"joint state {q.tolist()}, {qd.tolist()}; {shape[0]} finite numbers each"
            return Refusal("non_finite", text)
        if np.any((q < self._low) | (q > self._high)):
            text = f"joint state {q.round(3).tolist()} rad; at most {_BEYOND} rad outside the limits is believed"
            return Refusal("joint_range", text)
        return None

    def _take(self, stamp: float, q: Array, setpoint: JointState, led: bool, impossible: Refusal | None) -> Sighting:
        passed = max(0.0, stamp - self.stamp)
        self._pace = np.maximum(np.abs(setpoint.qd), self._pace - _EASE * min(passed, 1.0))
        if impossible is None and self._continuous(q, setpoint, passed):
            self.stamp, self.q, self._silent = stamp, q, False
            off = np.abs(q - setpoint.q)
            if led or np.all(off <= self._settings.follow_tolerance + _LAG * self._pace):
                return Sighting()
            self.suspect()
            refusal = Refusal("not_following", f"the arm is {float(np.max(off)):.2f} rad from its setpoint")
            return Sighting(refusal, hold="the arm does not follow: holding where it is", lead=True)
        refusal = impossible or self._jump(q, setpoint)
        self._strange = [*(old for old in self._strange if abs(stamp - old) <= _MEMORY), stamp]
        if len(self._strange) < 2 and not self._silent:
            return Sighting(refusal)
        self.doubt = self._account(refusal)
        self.suspect()
        return Sighting(refusal, hold=f"the joint states are in doubt: {refusal.reason}")

    def _jump(self, q: Array, setpoint: JointState) -> Refusal:
        off = np.abs(q - setpoint.q)
        joint = int(np.argmax(off))
        return Refusal("joint_jump", f"{self._joints[joint]} is suddenly {off[joint]:.2f} rad from its setpoint")

    def _account(self, refusal: Refusal) -> Refusal:
        remedy = "held until they agree again near the setpoint, or until ~/confirm_posture"
        return Refusal(refusal.name, f"{refusal.reason}{self._sources()}; {remedy}")

    def _sources(self) -> str:
        return f"; published by {' and '.join(self.publishers)}" if len(self.publishers) > 1 else ""

    def _continuous(self, q: Array, setpoint: JointState, passed: float) -> bool:
        """Whether the arm can be at ``q``: near the joints last believed, or near where it was commanded to be."""
        expected = np.abs(q - setpoint.q) <= _JUMP + _LAG * self._pace
        if self._silent or self.q is None:
            return bool(np.all(expected))
        reach = _JUMP + 2.0 * self._top_speed * min(_LONGEST_STEP, passed)
        return bool(np.all(expected | (np.abs(q - self.q) <= reach)))

    def _wanted(self) -> float:
        """Agreement [s] before the first setpoint: longer once joint states have contradicted each other."""
        return self._settings.posture_agreement if self._agreement.jumps else self._settings.start_agreement

    def _begin(self, stamp: float) -> Sighting:
        agreement = self._agreement
        if agreement.duration < self._wanted() - 1e-9 or agreement.suspicion():
            return Sighting()
        self._believe(stamp, agreement.q)
        return Sighting(restart="holding where the arm was found")

    def _reconsider(self, stamp: float, q: Array, setpoint: JointState) -> Sighting:
        agreement, settings = self._agreement, self._settings
        if agreement.jumps >= _ALTERNATIONS and (self.doubt is None or self.doubt.name != "joint_states_disagree"):
            text = "joint states of different postures take turns: two publishers?"
            self.doubt = self._account(Refusal("joint_states_disagree", text))
            return Sighting(self.doubt)
        known = self.q is not None and bool(np.max(np.abs(q - self.q)) <= _JUMP)
        if agreement.duration >= settings.posture_agreement - 1e-9:
            if known or np.max(np.abs(q - setpoint.q)) <= _JUMP:
                self._believe(stamp, q)
                return Sighting(hold="the joint states agree again")
            if 0.0 < settings.believe_jump_after <= agreement.duration and not agreement.suspicion():
                self._believe(stamp, q)
                return Sighting(restart="the arm stands elsewhere: holding where it was found")
        return Sighting()
