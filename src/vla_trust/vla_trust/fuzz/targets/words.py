# SPDX-License-Identifier: Apache-2.0
"""What people and planners say: instructions, words that halt, steps of a plan."""

from __future__ import annotations

from vla_operator.commands import MAX_CHARACTERS, CommandKind, parse_command
from vla_operator.errors import CommandError
from vla_operator.words import built_in
from vla_planner.errors import StepError
from vla_planner.vocabulary import TABLETOP

from vla_trust.fuzz.mutate import Mutator
from vla_trust.fuzz.target import PromiseError, Target

TASKS = (
    "pick up the red block",
    "put the blue block in the bowl",
    "lege den roten Block in die Schale",
    "把红色方块放进碗里",
)
NOISE = (
    "",
    " ",
    "\n",
    "!",
    "!!!",
    ".",
    "\u200b",
    "\u200d",
    "\ufeff",
    "\u202e",
    "…",
    "\t",
    "\x00",
    "\N{COMBINING ACUTE ACCENT}",
)


def targets() -> tuple[Target, ...]:
    """Return the targets of this module."""
    stops = built_in().alone + built_in().halt
    return (
        Target("instruction", lambda: TASKS + stops[:40], _instruction, (CommandError,)),
        Target("halt-word", lambda: built_in().halt, _halt, (), _said_otherwise, accepted_first=False),
        Target("plan-step", lambda: [step.text for step in TABLETOP.steps(TABLETOP.objects)], _step, (StepError,)),
    )


def _instruction(text: str) -> None:
    command = parse_command(text)
    if len(command.text) > MAX_CHARACTERS or (command.kind is CommandKind.TASK and not command.text.strip()):
        raise PromiseError(f"{command.kind.name} of {len(command.text)} characters was accepted")
    command.text.encode("utf-8")  # DDS carries nothing else


def _halt(text: str) -> None:
    if parse_command(text).kind is not CommandKind.STOP:
        raise PromiseError(f"{text!r} did not halt the arm")


def _said_otherwise(mutator: Mutator, word: str) -> str:
    """Return a halt word as hasty typing and bad transmission make it: what must still halt the arm."""
    rng = mutator.rng
    shape = rng.choice((str.upper, str.lower, str.title, str))
    text = rng.choice(NOISE) + shape(word) + rng.choice(NOISE) + rng.choice(NOISE)
    return text * 2 if rng.random() < 0.1 and text[-1:] in " !." else text


def _step(text: str) -> None:
    step = TABLETOP.parse(text)
    if TABLETOP.parse(step.text) != step:
        raise PromiseError(f"{step} is not read back")
