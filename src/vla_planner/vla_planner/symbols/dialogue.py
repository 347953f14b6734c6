# SPDX-License-Identifier: Apache-2.0
"""Corrections and answers: what was said after the goal changes its wishes."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from vla_planner.errors import GoalError
from vla_planner.planner import Attempt, Utterance
from vla_planner.symbols.grammar import named
from vla_planner.symbols.wishes import Selection, Stage, Wish

_NOT = re.compile(r"\b(?:not|without|except|leave|skip|forget)\b")
_ALSO = re.compile(r"\b(?:also|too|as well|and)\b")
_THIS = re.compile(r"\b(?:that|this)(?: one)?\b|\bit\b")
_EVERY = re.compile(r"\b(?:all|both|every|any)\b")
Understand = Callable[[str], tuple[Stage, ...]]


def apply(
    stages: tuple[Stage, ...], dialogue: Sequence[Utterance], history: Sequence[Attempt], understand: Understand
) -> tuple[Stage, ...]:
    """Return the stages as later utterances changed them. Raises GoalError for an utterance without meaning."""
    asked = False
    for utterance in dialogue:
        if utterance.role != "operator":
            asked = True
            continue
        stages = _answer(stages, utterance.text) if asked else _correct(stages, utterance.text, history, understand)
        asked = False
    return stages


def _answer(stages: tuple[Stage, ...], text: str) -> tuple[Stage, ...]:
    """Put the answer where a block was not named."""
    words = text.lower()
    chosen = Selection(everything=True) if _EVERY.search(words) else Selection(named(words))
    if chosen == Selection():
        return stages  # asked again
    filled = False
    changed: list[Stage] = []
    for stage in stages:
        wishes: list[Wish] = []
        for wish in stage:
            vague = wish.objects.vague and not filled
            filled = filled or vague
            wishes.append(replace(wish, objects=chosen) if vague else wish)
        changed.append(tuple(wishes))
    return tuple(changed)


def _correct(
    stages: tuple[Stage, ...], text: str, history: Sequence[Attempt], understand: Understand
) -> tuple[Stage, ...]:
    words = text.lower()
    names = named(words)
    cut = next((a.step.object for a in reversed(history) if a.ended == "interrupted"), "")
    if _NOT.search(words) and not _spoken_as_goal(words):
        dropped = names or ((cut,) if cut and _THIS.search(words) else ())
        return _dropped(stages, dropped, text)
    if names and not _spoken_as_goal(words):
        if _ALSO.search(words):
            return _added(stages, names)
        return _added(_dropped(stages, (cut,), text) if cut else stages, names)
    try:
        new = understand(re.sub(r"^(?:no|wait|instead|actually|sorry)[, ]+", "", words))
    except GoalError as error:
        raise GoalError(f"the correction {text!r} is not understood: {error}") from error
    return new if words.startswith(("no", "instead", "actually")) else (*stages, *new)


def _spoken_as_goal(words: str) -> bool:
    return bool(re.search(r"\b(?:put|place|push|move|pick|lift|gather|sort|clear|bring)\b", words))


def _dropped(stages: tuple[Stage, ...], names: tuple[str, ...], text: str) -> tuple[Stage, ...]:
    if not names:
        raise GoalError(f"the correction {text!r} names no block; valid, for example: 'not the red one'")
    return tuple(tuple(replace(w, objects=_but(w.objects, names)) for w in stage) for stage in stages)


def _but(objects: Selection, names: tuple[str, ...]) -> Selection:
    return replace(objects, but=tuple(dict.fromkeys((*objects.but, *names))))


def _added(stages: tuple[Stage, ...], names: tuple[str, ...]) -> tuple[Stage, ...]:
    """Want of further blocks what the last wish wants."""
    if not stages or not stages[-1]:
        raise GoalError("there is no goal to add a block to")
    *others, last = stages[-1]
    kept = tuple(name for name in last.objects.but if name not in names)
    objects = replace(last.objects, names=tuple(dict.fromkeys((*last.objects.names, *names))), but=kept)
    return (*stages[:-1], (*others, replace(last, objects=objects)))
