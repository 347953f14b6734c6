# SPDX-License-Identifier: Apache-2.0
"""Replies of hosted minds, checked against their schema and against what is there. Pure functions; a reply is data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vla_planner.errors import ReplyError, StepError
from vla_planner.hosted.schemas import DONE, KINDS, MAX_STEPS, MAX_TEXT, QUESTION, STEPS
from vla_planner.planner import Decision, Verdict
from vla_planner.vocabulary import Step, Vocabulary

MAX_STEP_TEXT = 120  # characters
MAX_POINTS = 200


def read_decision(reply: object, vocabulary: Vocabulary, present: Sequence[str], most: int = MAX_STEPS) -> Decision:
    """Return the decision that a reply holds. `present`: names of what is there; `most`: steps at most.

    Raises:
        ReplyError: the reply does not match the schema, or a step is outside the vocabulary or names what is absent.
    """
    fields = _fields(reply, {"kind": str, "steps": list, "text": str})
    kind, steps, text = fields["kind"], fields["steps"], plain_text(fields["text"])
    if kind not in KINDS:
        raise ReplyError(f"kind is {_short(kind)}; valid: {', '.join(KINDS)}")
    if kind != STEPS and steps:
        raise ReplyError(f"kind is {kind} and there are {len(steps)} steps; valid: no steps unless kind is steps")
    if kind == STEPS:
        return Decision(steps=_steps(steps, vocabulary, present, most), say=text)
    if kind == DONE:
        return Decision(done=True, say=text)
    if not text:
        raise ReplyError(f"kind is {kind} and text is empty; valid: the {kind} in words")
    return Decision(question=text) if kind == QUESTION else Decision(refusal=text)


def read_verdict(reply: object) -> Verdict:
    """Return the verdict that a reply holds. Raises ReplyError where it does not match the schema."""
    fields = _fields(reply, {"holds": bool, "confidence": (int, float), "reason": str})
    confidence = fields["confidence"]
    if isinstance(confidence, bool) or not 0.0 <= confidence <= 1.0:
        raise ReplyError(f"confidence is {_short(confidence)}; valid: a number from 0 to 1")
    return Verdict(fields["holds"], float(confidence), plain_text(fields["reason"]))


def read_answer(reply: object) -> str:
    """Return the answer that a reply holds; empty where the model does not know. Raises ReplyError."""
    fields = _fields(reply, {"known": bool, "text": str})
    return plain_text(fields["text"]) if fields["known"] else ""


def read_points(reply: object, names: Sequence[str], shape: tuple[int, int]) -> dict[str, tuple[float, float]]:
    """Return the first point of each object as (x, y) [px] in a picture of `shape` (height, width).

    Raises:
        ReplyError: the reply does not match the schema, a label is not among `names`, or a point is outside 0 to 1000.
    """
    listed = _fields(reply, {"points": list})["points"]
    if len(listed) > MAX_POINTS:
        raise ReplyError(f"there are {len(listed)} points; valid: up to {MAX_POINTS}")
    height, width = shape
    found: dict[str, tuple[float, float]] = {}
    for item in listed:
        fields = _fields(item, {"point": list, "label": str})
        label, point = fields["label"], fields["point"]
        if label not in names:
            raise ReplyError(f"label is {_short(label)}; valid: {', '.join(names)}")
        if len(point) != 2 or not all(_is_coordinate(value) for value in point):
            raise ReplyError(f"point is {_short(point)}; valid: [y, x], each from 0 to 1000")
        y, x = point
        found.setdefault(label, (x / 1000.0 * width, y / 1000.0 * height))
    return found


def plain_text(text: str) -> str:
    """Return a model's sentence in one line of printable characters, shortened to MAX_TEXT."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= MAX_TEXT else line[: MAX_TEXT - 1] + "…"


def _steps(texts: Sequence[object], vocabulary: Vocabulary, present: Sequence[str], most: int) -> tuple[Step, ...]:
    if not 1 <= len(texts) <= most:
        raise ReplyError(f"kind is steps and there are {len(texts)} steps; valid: 1 to {most}")
    return tuple(_step(text, vocabulary, present) for text in texts)


def _step(text: object, vocabulary: Vocabulary, present: Sequence[str]) -> Step:
    if not isinstance(text, str) or len(text) > MAX_STEP_TEXT:
        raise ReplyError(f"step is {_short(text)}; valid: a text of up to {MAX_STEP_TEXT} characters")
    try:
        step = vocabulary.parse(text)
    except StepError as error:
        raise ReplyError(str(error)) from error
    if absent := vocabulary.absent(step, present):
        there = ", ".join(present) or "nothing"
        raise ReplyError(f"step {step.text!r}: the {' and the '.join(absent)} is not there; there: {there}")
    return step


def _fields(reply: object, kinds: Mapping[str, type | tuple[type, ...]]) -> dict[str, Any]:
    """Return the members of a reply. Raises ReplyError unless it has exactly these names with these types."""
    if not isinstance(reply, dict):
        raise ReplyError(f"the reply is a {type(reply).__name__}; valid: an object with {', '.join(kinds)}")
    missing, unknown = kinds.keys() - reply.keys(), reply.keys() - kinds.keys()
    if missing or unknown:
        names = ", ".join(sorted(_short(name) for name in missing or unknown)[:5])
        raise ReplyError(f"the reply {'lacks' if missing else 'also has'} {names}; valid: exactly {', '.join(kinds)}")
    for name, kind in kinds.items():
        if not isinstance(reply[name], kind):
            raise ReplyError(f"{name} is {_short(reply[name])}; valid: a {_noun(kind)}")
    return reply


def _noun(kind: type | tuple[type, ...]) -> str:
    return {str: "text", bool: "truth value", list: "list"}.get(kind, "number") if isinstance(kind, type) else "number"


def _is_coordinate(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1000


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:60] + "…"
