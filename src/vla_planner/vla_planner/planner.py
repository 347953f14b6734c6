# SPDX-License-Identifier: Apache-2.0
"""The interface between the executive and a mind: symbolic scene, picture and history in, a decision out. No ROS.

A package offers a mind with `entry_points={"vla_planner.planners": ["name = module:factory"]}` where factory takes a
PlannerConfig and returns a Planner. What a mind replies is data; the executive checks every step of it against the
vocabulary and against what is there before the policy is given any.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vla_planner.scene import Scene
from vla_planner.vocabulary import TABLETOP, Step, Vocabulary

Image = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Verdict:
    """An answer to "was it done?" or "can it be done now?". `confidence`: 0 to 1; `reason`: what was seen."""

    holds: bool
    confidence: float = math.nan
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A step that was begun, how the policy ended, and the verdict on it (None while it is active)."""

    step: Step
    ended: str = ""  # of the policy: finished, timeout, failed, ...; empty while active
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True)
class Utterance:
    """What was said in the dialogue after the goal. `role`: operator or planner."""

    role: str
    text: str


@dataclass(frozen=True, slots=True)
class Situation:
    """All that a mind decides on.

    goal: the goal's text as received; dialogue: corrections, questions and answers since, oldest first; scene: symbols
    perceived from the latest picture; picture: that picture (H, W, 3) uint8 RGB, None where there is none; history:
    steps that were begun, oldest first; robot: its name; objection: why the previous reply was refused, empty at first.
    """

    goal: str
    scene: Scene
    picture: Image | None = None
    history: tuple[Attempt, ...] = ()
    dialogue: tuple[Utterance, ...] = ()
    robot: str = ""
    objection: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """A mind's reply: exactly one of steps to do in this order, done, a question to the operator, or a refusal.

    steps: what is left to do from now on, the first to be done next; say: a sentence for the operator, may be empty.
    """

    steps: tuple[Step, ...] = ()
    done: bool = False
    question: str = ""  # what is ambiguous and the valid answers
    refusal: str = ""  # why the goal cannot be reached; what is valid
    say: str = ""

    def __post_init__(self) -> None:
        """Raise ValueError unless exactly one of the four is given."""
        given = [bool(self.steps), self.done, bool(self.question), bool(self.refusal)]
        if sum(given) != 1:
            raise ValueError(f"decision has {sum(given)} of steps, done, question, refusal; valid is exactly one")


@dataclass(frozen=True, slots=True)
class Usage:
    """What a mind has used since its start. `cost`: [USD], NaN where unknown; `latency`: median of a reply [s]."""

    requests: int = 0  # to a server
    cost: float = math.nan
    input_tokens: int = 0
    output_tokens: int = 0
    latency: float = math.nan


@dataclass(frozen=True, slots=True)
class PlannerConfig:
    """What a factory gets. `options`: a mind's own settings by name, as texts; keys come from the environment only."""

    robot: str = ""
    vocabulary: Vocabulary = TABLETOP
    options: Mapping[str, str] = field(default_factory=dict)


class Planner(ABC):
    """A mind: decides what to do next and judges what was done. Each call may block for seconds; one at a time.

    Every method may raise PlannerUnavailableError (server gone, wrong key) and ReplyError (asked again with the text as
    `objection`, at most a few times).
    """

    name: str = "planner"
    wants_picture: bool = False

    @abstractmethod
    def decide(self, situation: Situation) -> Decision:
        """Return what is left to do for the goal in this situation. Raises GoalError for a goal to reject."""

    def done(self, situation: Situation, step: Step) -> Verdict:
        """Judge whether the step, which the policy has just ended, was done. The default judges by the symbols."""
        return judge_done(situation.scene, step)

    def possible(self, situation: Situation, step: Step) -> Verdict:
        """Judge whether the step can be done now. The default judges by the symbols."""
        return judge_possible(situation.scene, step)

    def answer(self, situation: Situation, question: str) -> str:
        """Return an answer to an operator's question, for example "why did you do that?"; empty: no answer."""
        return ""

    @property
    def usage(self) -> Usage:
        """What was used since the start."""
        return Usage()

    def close(self) -> None:
        """Release what the mind holds; the default holds nothing."""
        return


def judge_done(scene: Scene, step: Step) -> Verdict:
    """Return the verdict of the symbols on whether a step was done."""
    if step.object not in scene.objects:
        return Verdict(False, 0.6, f"the {step.object} is not to be seen")
    holds = scene.holds(step)
    where = ", ".join(scene.relations(step.object)) or "on the table"
    return Verdict(holds, _confidence(scene, step), f"the {step.object} is {where}")


def judge_possible(scene: Scene, step: Step) -> Verdict:
    """Return the verdict of the symbols on whether a step can be done now."""
    for name in (step.object, step.target):
        if name and name not in ("left", "right") and name not in scene.objects:
            return Verdict(False, 0.9, f"the {name} is not there")
    if scene.holds(step):
        return Verdict(False, _confidence(scene, step), "it is so already")
    if scene.held and scene.held != step.object:
        return Verdict(True, 0.7, f"the {scene.held} is in the hand and is put down first")
    return Verdict(True, _confidence(scene, step), "all that it needs is there")


def _confidence(scene: Scene, step: Step) -> float:
    seen = [scene.objects[name].confidence for name in (step.object, step.target) if name in scene.objects]
    return min(seen, default=0.5)
