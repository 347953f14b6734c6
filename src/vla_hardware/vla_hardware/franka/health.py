# SPDX-License-Identifier: Apache-2.0
"""What the driver of a Franka says of itself on /diagnostics. No ROS."""

from __future__ import annotations

from collections import Counter

from vla_core.health import Health, Level

from vla_hardware.franka.gripper import HandLoop
from vla_hardware.franka.loop import ArmLoop

LOW_SUCCESS = 0.9  # share of control commands in time below which a real arm soon stops by itself
LATE = "of the control commands arrive in time; check the real-time kernel and the network"


def arm_health(loop: ArmLoop, read_only: bool) -> Health:
    """Return the state of the arm and of its thread; a fault is named until it is recovered."""
    reading = loop.reading
    values = {
        "mode": reading.mode if reading else "unknown",
        "read_only": str(read_only),
        "control_command_success_rate": f"{reading.success_rate:.3f}" if reading else "unknown",
        "arm_clock_rate": f"{loop.clock_rate:.3f}",
        "late_ticks": str(loop.late),
        "motions": str(loop.motions),
        "deviations": str(loop.deviations),
    }
    fault = loop.fault
    if fault is not None:
        text = f"{fault.name}: {fault}; the arm is held: mend the cause, then call ~/recover"
        return Health(Level.ERROR, fault.name, text, values)
    if reading is not None and reading.mode == "Move" and reading.success_rate < LOW_SUCCESS:
        return Health(Level.WARN, "late_commands", f"{reading.success_rate:.0%} {LATE}", values)
    text, loop.deviation = loop.deviation, ""
    if text:
        return Health(Level.WARN, "deviation", f"the motion ended: {text}", values)
    return Health(Level.OK, "ok", "reading only" if read_only else "ok", values)


def hand_health(hand: HandLoop) -> Health:
    """Return the state of the hand."""
    reading = hand.reading
    width = f"{reading.width:.4f}" if reading else "unknown"
    values = {"grasps": str(hand.grasps), "moves": str(hand.moves), "width": width}
    if hand.trouble:
        return Health(Level.ERROR, "hand", hand.trouble, values)
    return Health(Level.OK, "ok", "holds something" if reading and reading.is_grasped else "ok", values)


class Commands:
    """How many commands were taken and refused, by the kind of refusal."""

    def __init__(self) -> None:
        self.accepted = 0
        self.refused: Counter[str] = Counter()
        self._latest = ""  # refusal since the last report

    def refuse(self, name: str, text: str) -> None:
        """Count a refusal of the kind `name`."""
        self.refused[name] += 1
        self._latest = text

    def health(self) -> Health:
        """Return the counts, with the latest refusal since the report before."""
        text, self._latest = self._latest, ""
        values = {"accepted": str(self.accepted), "refused": str(self.refused.total())}
        values |= {name: str(count) for name, count in self.refused.items()}
        level, name = (Level.WARN, "refused") if text else (Level.OK, "ok")
        return Health(level, name, text or "ok", values, is_logged=False)
