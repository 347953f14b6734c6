# SPDX-License-Identifier: Apache-2.0
"""How a goal of the action ExecuteInstruction ends, as pure functions."""

import math
import re
import unicodedata
from dataclasses import dataclass

from vla_policy.run.runner import MAX_TEXT, State, Status

STOPPED = "stopped: the goal's text means stop"
_POLITE = "please|now|immediately|right|the|robot|arm|moving|it|everything"
_STOP = "emergency stop|e stop|estop|cancel|freeze|abort|stop|halt"
_STOP_PATTERN = re.compile(rf"(?:(?:{_POLITE}) )*(?:(?:{_STOP}) (?:(?:{_POLITE}) )*)+")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a goal ended. stop: the robot still works on it and must be halted."""

    reason: str
    finished: bool = False
    stop: bool = False


def means_stop(text: str) -> bool:
    """Return whether the whole text asks to halt: the utterances that the instruction node takes for a stop."""
    words = re.findall(r"[^\W_]+", unicodedata.normalize("NFKC", text[: 16 * MAX_TEXT]).casefold())
    return bool(words) and _STOP_PATTERN.fullmatch(" ".join(words) + " ") is not None


def text_refusal(text: str) -> str:
    """Return why a text cannot be given to a policy, or nothing."""
    if not 1 <= len(text.strip()) <= MAX_TEXT:
        return f"text has {len(text)} characters; valid is 1 to {MAX_TEXT}"
    if any(character == "\N{REPLACEMENT CHARACTER}" or "\ud800" <= character <= "\udfff" for character in text):
        return "text is not clean UTF-8; valid is UTF-8 without replacement characters"
    return ""


def goal_refusal(text: str, timeout: float) -> str:
    """Return why a goal cannot be begun, or nothing. timeout [s], 0 for none."""
    refusal = text_refusal(text)
    if refusal:
        return refusal
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
