# SPDX-License-Identifier: Apache-2.0
"""What a URDF cannot know: taken from options, asked on a terminal, and refused together where nobody can answer."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass


class AnswersMissingError(ValueError):
    """Facts that neither the options nor a person gave; the text lists them with their options."""


@dataclass(frozen=True, slots=True)
class Question:
    """One fact: its option, the words that ask for it, how many numbers it has (0: a text) and a default, if any."""

    option: str
    words: str
    count: int
    default: str = ""


QUESTIONS = (
    Question("acceleration", "greatest acceleration that the maker allows [rad/s^2], one number or one a joint", -1),
    Question("jerk", "greatest jerk [rad/s^3], one or one a joint; empty: full acceleration in 10 ms", -1, "100 times"),
    Question("workspace", "box of the tool centre point [m]: xmin ymin zmin xmax ymax zmax in the base frame", 6),
    Question("home_tool", "where the tool is at home, pointing down [m]: x y z", 3),
    Question("home", "joints at home [rad]", -1),
    Question("gripper_joint", "name of the gripper's commanded joint", 0),
    Question("gripper_width", "least and greatest distance of the pads [m]", 2),
    Question("gripper_speed", "speed of the width [m/s]", 1, "0.1"),
)


def numbers(text: str, count: int) -> tuple[float, ...]:
    """Return the numbers in a text, separated by spaces or commas; raises ValueError for another count (-1: any)."""
    found = tuple(float(word) for word in text.replace(",", " ").split())
    if not found or (count > 0 and len(found) != count) or not all(math.isfinite(number) for number in found):
        raise ValueError(f"{text!r} is not valid; {count if count > 0 else 'one or more'} finite numbers are needed")
    return found


def answer(options: argparse.Namespace, wanted: Sequence[str], ask: Callable[[str], str] | None) -> None:
    """Fill in the options `wanted` that were not given.

    Args:
        options: of the command line; None where one was not given.
        wanted: names of QUESTIONS.
        ask: puts a question to a person and returns the line; None: nobody is there.

    Raises:
        AnswersMissingError: nobody is there; all that is missing is listed.
    """
    missing = [
        question for question in QUESTIONS if question.option in wanted and getattr(options, question.option) is None
    ]
    if ask is None:
        needed = [question for question in missing if not question.default]
        if needed:
            lines = [f"  --{question.option.replace('_', '-')}: {question.words}" for question in needed]
            raise AnswersMissingError("a URDF does not say these; give them as options:\n" + "\n".join(lines))
        return
    for question in missing:
        setattr(options, question.option, _put(question, ask))


def _put(question: Question, ask: Callable[[str], str]) -> object:
    default = f" [{question.default}]" if question.default else ""
    words = f"{question.words}{default}: "
    while True:
        text = ask(words).strip()
        if not text and question.default:
            return None
        if question.count == 0 and text:
            return text
        try:
            return numbers(text, question.count)
        except ValueError as error:
            words = f"{error}\n{question.words}{default}: "
