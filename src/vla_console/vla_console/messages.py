# SPDX-License-Identifier: Apache-2.0
"""Messages of the graph as plain data for the page: finite, rounded, with states in words."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

CONTROLLER_STATES = ("waiting", "holding", "tracking", "stopping", "estopped")
OWNERS = ("nobody", "policy", "trajectory", "person")
POLICY_STATES = ("idle", "running", "waiting", "done", "stopped", "error")
RECORDER_STATES = ("idle", "recording", "error")
UTTERANCE_STATES = ("interim", "accepted", "stop", "asked", "rejected", "ignored")
SOURCES = ("text", "voice", "planner")
GOAL_STATES = ("idle", "planning", "executing", "checking", "asking", "finished")
GOAL_ENDS = (
    "unknown", "finished", "timeout", "cancelled", "superseded", "stopped", "rejected", "failed", "no planner",
    "no policy",
)  # fmt: skip
STEP_STATES = ("planned", "active", "done", "failed", "dropped")
LEVELS = ("ok", "warn", "error", "stale")
LOG_LEVELS = {10: "debug", 20: "info", 30: "warn", 40: "error", 50: "fatal"}
MAX_SHOWN = 2000  # characters of a text that the page gets
MAX_STEPS = 200  # of a goal, the latest

Data = dict[str, Any]


def finite(value: float, digits: int = 4) -> float | None:
    """Return a rounded number; None for NaN and the infinities, which JSON does not have."""
    return round(float(value), digits) if math.isfinite(value) else None


def finites(values: Iterable[float], digits: int = 4) -> list[float | None]:
    """Return rounded numbers."""
    return [finite(value, digits) for value in values]


def word(names: tuple[str, ...], value: int) -> str:
    """Return the name of a constant; its number where this version does not know it."""
    return names[value] if 0 <= value < len(names) else str(value)


def controller(message: Any) -> Data:
    """Return a vla_msgs/ControllerStatus."""
    position = message.ee_setpoint.position
    return {
        "state": word(CONTROLLER_STATES, message.state),
        "owner": word(OWNERS, message.owner),
        "device": message.device,
        "intervention": message.intervention,
        "reason": message.reason[:MAX_SHOWN],
        "sequence": str(message.instruction_sequence),  # 64 bits: more than a number of JavaScript holds
        "joints": finites(message.measured),
        "setpoint": finites(message.setpoint),
        "velocity": finites(message.setpoint_velocity),
        "tool": finites((position.x, position.y, position.z)),
        "gripper": finite(message.gripper),
        "tick_ms": finite(1e3 * message.tick_period, 2),
        "compute_ms": finite(1e3 * message.compute_time, 2),
        "latency": finite(message.stamp_to_setpoint),
        "budget": finite(message.latency_budget),
        "pace": finite(message.pace),
        "chunks": message.chunks_accepted,
        "late": message.steps_late,
        "refusals": [
            {"name": item.name, "count": item.count, "reason": item.reason[:MAX_SHOWN]} for item in message.refusals
        ],
    }


def policy(message: Any) -> Data:
    """Return a vla_msgs/PolicyStatus."""
    return {
        "state": word(POLICY_STATES, message.state),
        "policy": message.policy,
        "checkpoint": message.checkpoint[:MAX_SHOWN],
        "instruction": message.instruction,
        "sequence": str(message.instruction_sequence),
        "rate": finite(message.rate, 2),
        "inference_ms": finite(1e3 * message.inference_time, 1),
        "observation_age": finite(message.observation_age, 3),
        "confidence": finite(message.token_confidence, 3),
        "legal_mass": finite(message.legal_mass, 3),
        "refused": message.actions_refused,
        "chunks": message.chunks,
        "reason": message.reason[:MAX_SHOWN],
    }


def chunk(message: Any) -> Data:
    """Return a vla_msgs/ActionChunk: its first step with tokens and probabilities."""
    width = len(message.dimension_names)
    step = message.steps[0] if message.steps else None
    return {
        "sequence": message.sequence,
        "steps": len(message.steps),
        "period": finite(message.period),
        "names": list(message.dimension_names),
        "tokens": [int(token) for token in message.tokens[:width]],
        "probabilities": finites(message.token_probabilities[:width], 3),
        "translation": finites((step.translation.x, step.translation.y, step.translation.z)) if step else [],
        "rotation": finites((step.rotation.x, step.rotation.y, step.rotation.z)) if step else [],
        "gripper": finite(step.gripper, 3) if step else None,
        "ends": bool(step.terminate) if step else False,
    }


def task(message: Any) -> Data:
    """Return a vla_msgs/TaskStatus."""
    return {
        "instruction": message.instruction,
        "family": message.family,
        "success": message.success,
        "elapsed": finite(message.elapsed, 1),
        "real_time_factor": finite(message.real_time_factor, 2),
    }


def recorder(message: Any) -> Data:
    """Return a vla_msgs/RecorderStatus."""
    return {
        "state": word(RECORDER_STATES, message.state),
        "episode": message.episode.rsplit("/", 1)[-1],
        "task": message.task,
        "duration": finite(message.duration, 1),
        "megabytes": finite(message.bytes / 1e6, 1),
        "dropped": message.dropped,
        "episodes": message.episodes,
        "reason": message.reason[:MAX_SHOWN],
    }


def instruction(message: Any) -> Data:
    """Return a vla_msgs/Instruction."""
    return {
        "id": message.id,
        "text": message.text[:MAX_SHOWN],
        "stop": message.kind != 0,
        "source": word(SOURCES, message.source),
        "sequence": str(message.sequence),
        "time": message.header.stamp.sec,
    }


def plan(message: Any) -> Data:
    """Return a vla_msgs/Plan."""
    return {"text": message.text[:MAX_SHOWN], "id": message.instruction_id}


def goal(message: Any) -> Data:
    """Return a vla_msgs/GoalStatus; `end` is empty while the goal is under way."""
    steps = message.steps[-MAX_STEPS:]
    state = word(GOAL_STATES, message.state)
    return {
        "id": message.goal_id,
        "goal": message.goal[:MAX_SHOWN],
        "planner": message.planner[:100],
        "state": state,
        "first": len(message.steps) - len(steps) + 1,  # number of the first step shown
        "steps": [_step(step) for step in steps],
        "question": message.question[:MAX_SHOWN],
        "say": message.say[:MAX_SHOWN],
        "end": word(GOAL_ENDS, message.result) if state == "finished" else "",
        "why": message.result_text[:MAX_SHOWN],
        "replans": message.replans,
        "decision_time": finite(message.decision_time, 2),
        "cost": finite(message.cost, 5),
    }


def _step(message: Any) -> Data:
    """Return a vla_msgs/GoalStep."""
    return {
        "text": message.instruction[:MAX_SHOWN],
        "state": word(STEP_STATES, message.state),
        "attempt": message.attempt,
        "confidence": finite(message.confidence, 2),
        "reason": message.reason[:MAX_SHOWN],
    }


def utterance(message: Any) -> Data:
    """Return a vla_msgs/Utterance."""
    return {
        "state": word(UTTERANCE_STATES, message.state),
        "text": message.text[:MAX_SHOWN],
        "confidence": finite(message.confidence, 2),
        "question": message.question[:MAX_SHOWN],
        "reason": message.reason[:MAX_SHOWN],
    }


def diagnosis(status: Any) -> Data:
    """Return a diagnostic_msgs/DiagnosticStatus."""
    level = status.level if isinstance(status.level, int) else int.from_bytes(status.level, "little")
    values = [[item.key[:100], item.value[:200]] for item in status.values[:40]]
    return {"name": status.name, "level": word(LEVELS, level), "message": status.message[:MAX_SHOWN], "values": values}


def log_line(message: Any) -> Data:
    """Return a rcl_interfaces/Log."""
    level = LOG_LEVELS.get(int(message.level), "info")
    return {"time": message.stamp.sec, "level": level, "node": message.name, "text": message.msg[:MAX_SHOWN]}
