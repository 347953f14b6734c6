# SPDX-License-Identifier: Apache-2.0
"""What the controller says of itself on /diagnostics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vla_controller.arm_controller import ArmController
from vla_controller.health.tick_times import TickTimes
from vla_controller.motion.setpoint import ControllerState, Setpoint

OK, WARN, ERROR = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Health:
    """Level (0 ok, 1 warning, 2 error), one line, and figures by name."""

    level: int
    message: str
    values: dict[str, object]


def diagnose(setpoint: Setpoint | None, controller: ArmController, times: TickTimes, refused_before: int) -> Health:
    """Health now; ``refused_before`` is the number of refusals at the last call."""
    state = ControllerState.WAITING if setpoint is None else setpoint.state
    values: dict[str, object] = {
        "state": state.name,
        "chunks_accepted": controller.chunks_accepted,
        "steps_late": controller.intake.steps_late,
        "latency_budget_ms": f"{1e3 * controller.intake.timing.budget:.0f}",
        "chunk_delay_ms": f"{1e3 * controller.intake.latency.delay:.0f}",
        "pace": f"{controller.intake.pace:.2f}",
        "joint_states_from": ", ".join(controller.watch.publishers),
    }
    if setpoint is not None:
        values["stamp_to_setpoint_ms"] = f"{1e3 * setpoint.stamp_to_setpoint:.1f}"
    values.update({name: f"{value:.2f}" for name, value in times.summary().items()})
    for name, count, reason in controller.log.entries():
        values[f"refused {name}"] = f"{count}; latest: {reason}"
    level, message = _judge(state, setpoint, controller, controller.log.total() - refused_before)
    gone = controller.permission.operator_gone
    if gone is not None and state is not ControllerState.ESTOPPED:
        level, message = ERROR, f"{gone.name}: {gone.reason}"
    return Health(level, message, values)


def diagnose_latency(values: Mapping[str, float], budget: float) -> Health:
    """Health of the way from camera to motion; ``values`` [ms] as MotionLatency.summary, ``budget`` [s]."""
    figures: dict[str, object] = {name: f"{value:.1f}" for name, value in values.items()}
    figures["budget_ms"] = f"{1e3 * budget:.1f}"
    if "motion_ms_p99" not in values:
        return Health(OK, "no motion after a chunk yet", figures)
    median, worst = values["motion_ms_p50"], values["motion_ms_p99"]
    text = f"image to motion {median:.0f} ms at the median, {worst:.0f} ms at the 99th percentile"
    if worst > 1e3 * budget:
        return Health(WARN, f"{text}: over the budget of {1e3 * budget:.0f} ms", figures)
    return Health(OK, text, figures)


def _judge(
    state: ControllerState, setpoint: Setpoint | None, controller: ArmController, refused: int
) -> tuple[int, str]:
    if setpoint is None:
        return WARN, controller.watch.waiting()
    if state is ControllerState.ESTOPPED:
        return ERROR, "emergency stop latched"
    if controller.watch.doubt is not None:
        return ERROR, f"{controller.watch.doubt.name}: {controller.watch.doubt.reason}"
    if refused:
        return WARN, f"{refused} refused in the last second; {state.name.lower()}"
    return OK, f"{state.name.lower()}{': ' if setpoint.reason else ''}{setpoint.reason}"
