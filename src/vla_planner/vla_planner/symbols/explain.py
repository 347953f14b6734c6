# SPDX-License-Identifier: Apache-2.0
"""Answers to an operator, from plan, state and verdicts alone."""

from __future__ import annotations

import re

from vla_planner.planner import Situation
from vla_planner.symbols.grammar import named

UNKNOWN = (
    "I do not know. I can say why I did a step, what comes next, where an object is, what is on the table and what is "
    "in the bowl."
)


def explain(situation: Situation, question: str, plan: tuple[str, ...]) -> str:
    """Return the answer; UNKNOWN for what none of the facts answers. `plan`: what is left to do."""
    words = question.lower()
    if re.search(r"\bwhy\b", words):
        return _why(situation)
    if re.search(r"\b(next|plan|doing|going to do|left to do)\b", words):
        return f"Next: {'; then '.join(plan)}." if plan else "Nothing is left to do."
    if re.search(r"\bwhere\b", words):
        return _where(situation, named(words) or (("bowl",) if "bowl" in words else ()))
    if re.search(r"\b(in|inside) the bowl\b", words):
        inside = [name for name in situation.scene.names if name != "bowl" and situation.scene.inside(name, "bowl")]
        return f"In the bowl: {', '.join(inside) or 'nothing'}."
    if re.search(r"\b(see|on the table|there)\b", words):
        return f"I see: {', '.join(situation.scene.names) or 'nothing'}."
    if re.search(r"\b(hold|hand|gripper)\b", words):
        return f"In the hand: {situation.scene.held or 'nothing'}."
    return UNKNOWN


def _why(situation: Situation) -> str:
    if not situation.history:
        return "I have not done anything yet."
    last = situation.history[-1]
    because = f"the goal is {situation.goal!r}"
    said = [utterance.text for utterance in situation.dialogue if utterance.role == "operator"]
    if said:
        because += f", and you said {said[-1]!r}"
    before = [a for a in situation.history[:-1] if a.step == last.step and a.verdict is not None]
    again = f" I tried it before: {before[-1].verdict.reason}." if before and before[-1].verdict else ""
    came = ""
    if last.verdict is not None:
        came = f" It was {'done' if last.verdict.holds else 'not done'}: {last.verdict.reason}."
    return f"I was to {last.step} because {because} and it was not so yet.{again}{came}"


def _where(situation: Situation, names: tuple[str, ...]) -> str:
    if not names:
        return UNKNOWN
    name = names[0]
    if name not in situation.scene.objects:
        return f"I do not see the {name}."
    x, y, _ = situation.scene.objects[name].position
    relations = ", ".join(situation.scene.relations(name)) or "on the table"
    return f"The {name} is {relations}, at x {x:.2f} m, y {y:.2f} m."
