# SPDX-License-Identifier: Apache-2.0
"""Steps of the end effector in a model's reply: their schema, and their check against ranges. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from vla_core.action import ActionStep
from vla_core.rotation import rotation_vector_from_rpy

from vla_policy.errors import ReplyError

MAX_TEXT = 400  # characters


@dataclass(frozen=True, slots=True)
class StepRanges:
    """Largest magnitudes of one step, each axis alone. move: [mm]; turn: [deg]; steps: of one reply."""

    move: int = 40
    turn: int = 15
    steps: int = 8


@dataclass(frozen=True, slots=True)
class Reply:
    """A checked reply. `done`: the instruction is carried out; `text`: what the model says about it."""

    steps: tuple[ActionStep, ...]
    done: bool
    text: str


def reply_schema(ranges: StepRanges) -> dict[str, Any]:
    """Return the JSON schema of a reply."""
    step = {
        "type": "object",
        "properties": {
            "move_mm": _triple(ranges.move),
            "turn_deg": _triple(ranges.turn),
            "gripper_percent": {"type": "integer", "minimum": 0, "maximum": 100},
        },
        "required": ["move_mm", "turn_deg", "gripper_percent"],
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {
            "text": {"type": "string", "description": "what is seen and why these steps, in one sentence"},
            "steps": {"type": "array", "items": step, "maxItems": ranges.steps},
            "done": {"type": "boolean"},
        },
        "required": ["text", "steps", "done"],
        "additionalProperties": False,
    }


def read_reply(value: object, ranges: StepRanges) -> Reply:
    """Return the steps of a reply. Raises ReplyError where it does not match the schema or is out of a range."""
    fields = _members(value, ("text", "steps", "done"))
    text, listed, done = fields["text"], fields["steps"], fields["done"]
    if not isinstance(text, str) or not isinstance(done, bool) or not isinstance(listed, list):
        raise ReplyError("the reply has members of other types; valid: text, a list of steps, done true or false")
    if len(listed) > ranges.steps or not (listed or done):
        raise ReplyError(f"the reply has {len(listed)} steps; valid: 1 to {ranges.steps}, or none where done is true")
    steps = tuple(_step(item, ranges) for item in listed)
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())[:MAX_TEXT]
    return Reply(steps, done, line)


def _step(value: object, ranges: StepRanges) -> ActionStep:
    fields = _members(value, ("move_mm", "turn_deg", "gripper_percent"))
    move = _numbers("move_mm", fields["move_mm"], ranges.move)
    turn = _numbers("turn_deg", fields["turn_deg"], ranges.turn)
    gripper = fields["gripper_percent"]
    if not _is_number(gripper) or not 0 <= gripper <= 100:
        raise ReplyError(f"gripper_percent is {_short(gripper)}; valid: 0 (closed) to 100 (open)")
    rotation = rotation_vector_from_rpy(np.radians(np.array(turn, np.float64)))
    return ActionStep(np.array(move, np.float64) / 1000.0, rotation, gripper=gripper / 100.0)


def _numbers(name: str, value: object, most: int) -> list[float]:
    valid = f"valid: three numbers from {-most} to {most}"
    if not isinstance(value, list) or len(value) != 3 or not all(_is_number(number) for number in value):
        raise ReplyError(f"{name} is {_short(value)}; {valid}")
    if not all(-most <= number <= most for number in value):
        raise ReplyError(f"{name} is {_short(value)}; {valid}")
    return value


def _members(value: object, names: Sequence[str]) -> Mapping[str, Any]:
    if not isinstance(value, dict) or set(value) != set(names):
        received = ", ".join(sorted(map(_short, value))[:6]) if isinstance(value, dict) else type(value).__name__
        raise ReplyError(f"the reply has {received}; valid: an object with exactly {', '.join(names)}")
    return value


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:60] + "…"


def _triple(most: int) -> dict[str, Any]:
    number = {"type": "integer", "minimum": -most, "maximum": most}
    return {"type": "array", "items": number, "minItems": 3, "maxItems": 3}
