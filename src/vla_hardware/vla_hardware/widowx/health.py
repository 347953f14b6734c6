# SPDX-License-Identifier: Apache-2.0
"""What the driver of a WidowX says of itself on /diagnostics. No ROS."""

from __future__ import annotations

import numpy as np
from vla_core.health import Health, Level

from vla_hardware.widowx.arm import WidowXArm
from vla_hardware.widowx.loop import WidowXLoop

HOT = 65  # [degrees C] of a servo, 15 before it switches itself off
LOSSES = 0.02  # share of lost answers above which the cables are doubtful


def arm_health(loop: WidowXLoop, arm: WidowXArm) -> Health:
    """Return the state of the arm and of its bus; a fault is named until it is recovered."""
    counts = arm.bus.counts
    share = counts["lost"] / max(1, counts["asked"])
    values = {
        "read_only": str(arm.options.read_only),
        "lowered": str(loop.lowered),
        "tick_p99": f"{np.percentile(list(loop.durations), 99) if loop.durations else 0.0:.4f}",
        "late_ticks": str(loop.late),
        "incomplete_ticks": str(loop.incomplete),
        "lost_answers": str(counts["lost"]),
        "damaged_answers": str(counts["damaged"]),
        "deviations": str(loop.deviations),
        "hottest": str(max(arm.temperatures.values(), default=0)),
    }
    fault = loop.fault
    if fault is not None:
        text = f"{fault.name}: {fault}; the arm is held: mend the cause, then call ~/recover"
        return Health(Level.ERROR, fault.name, text, values)
    hot = [servo.label for servo in arm.servos if arm.temperatures[servo.id] >= HOT]
    if hot:
        return Health(Level.WARN, "hot", f"{', '.join(hot)} at {HOT} degrees C or more: give the arm a rest", values)
    if share > LOSSES:
        text = f"{share:.1%} of the servos' answers are lost: check cables, and the latency_timer of the USB adapter"
        return Health(Level.WARN, "lost_answers", text, values)
    text, loop.deviation = loop.deviation, ""
    if text:
        return Health(Level.WARN, "deviation", f"the motion ended: {text}", values)
    return Health(Level.OK, "ok", "lowered: call ~/torque_on" if loop.lowered else "ok", values)
