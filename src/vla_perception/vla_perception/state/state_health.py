# SPDX-License-Identifier: Apache-2.0
"""How well the robot's state fits the camera's images, in words."""

from dataclasses import dataclass

from vla_core.health import Health, Level

from vla_perception.state.robot_state import RobotState

RECENT_S = 2.0
"""Findings older than this [s] no longer count."""


@dataclass(slots=True)
class StateHealth:
    """Counters on joint states and poses; the caller passes the time [s] of a clock that never jumps."""

    max_gap_s: float
    refused: int = 0
    last_refusal: str = ""
    _refused_s: float = float("-inf")
    _used: RobotState | None = None
    _used_s: float = float("-inf")

    def note_refused(self, reason: str, now_s: float) -> None:
        """A joint state or pose was malformed."""
        self.refused += 1
        self.last_refusal, self._refused_s = reason, now_s

    def note_used(self, state: RobotState, now_s: float) -> None:
        """An observation was published with this state."""
        self._used, self._used_s = state, now_s

    def report(self, now_s: float) -> Health:
        """The most important finding, with all counters."""
        gap = "unknown" if self._used is None else f"{self._used.gap_s:.4f}"
        values = {"gap_s": gap, "refused": str(self.refused), "last_refusal": self.last_refusal}
        level, name, message = self._finding(now_s)
        return Health(level, name, message, values)

    def _finding(self, now_s: float) -> tuple[Level, str, str]:
        if now_s - self._refused_s <= RECENT_S:
            return Level.WARN, "refused", self.last_refusal
        used = self._used
        if used is None or now_s - self._used_s > RECENT_S:
            return Level.OK, "ok", "no observation to fit a state to"
        if used.joints.stale or (used.gap_s > self.max_gap_s and used.joints.names):
            which = f": {', '.join(used.joints.stale)}" if used.joints.stale else ""
            reason = f"joint states are {used.gap_s:.3f} s away from the image, valid is up to {self.max_gap_s} s"
            return Level.WARN, "gap", reason + which
        if not used.joints.names:
            return Level.WARN, "no_joints", "no joint state received; is the robot's driver running?"
        if used.joints.missing:
            return Level.WARN, "missing", f"no joint state names {', '.join(used.joints.missing)}"
        if used.pose is None:
            return Level.WARN, "no_pose", "no tool pose for the image; is the controller running?"
        return Level.OK, "ok", f"known within {used.gap_s:.4f} s of the image"
