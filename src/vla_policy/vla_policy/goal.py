# SPDX-License-Identifier: Apache-2.0
"""How a goal of the action ExecuteInstruction ends, as pure functions."""

import math
from dataclasses import dataclass

from vla_policy.runner import MAX_TEXT, State, Status


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a goal ended. stop: the robot still works on it and must be halted."""

    reason: str
    finished: bool = False
    stop: bool = False


def goal_refusal(text: str, timeout: float) -> str:
    """Return why a goal cannot be begun, or nothing. timeout [s], 0 for none."""
    if not 1 <= len(text.strip()) <= MAX_TEXT:
        return f"text has {len(text)} characters; valid is 1 to {MAX_TEXT}"
    if not (math.isfinite(timeout) and timeout >= 0.0):
        return f"timeout is {timeout}; valid is 0 (none) or a number of seconds"
    return ""


def goal_outcome(status: Status, instruction_id: str, *, cancelled: bool, timed_out: bool) -> Outcome | None:
    """Return how the goal of this instruction has ended, or None while it runs."""
    if status.task is None or status.task.id != instruction_id:
        if cancelled:
            return Outcome("cancelled")
        return Outcome("stopped" if status.state is State.STOPPED else "superseded")
    if status.state is State.DONE:
        return Outcome("finished", finished=True)
    if status.state is State.ERROR:
        return Outcome(f"rejected: {status.reason}" if status.task_chunks == 0 else f"failed: {status.reason}")
    if cancelled:
        return Outcome("cancelled", stop=True)
    return Outcome("timeout", stop=True) if timed_out else None
