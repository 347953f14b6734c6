# SPDX-License-Identifier: Apache-2.0
"""What a vision-language model is asked, as data: templates for an action, a plan and a question.

An action is answered by the bare action tokens right after the prompt, then the end-of-sequence token. The image
placeholder and a chat template's turns are no part of a prompt: the back end adds them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from string import Formatter
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from vla_policy.errors import ConfigurationError, InstructionError, ObservationError
from vla_policy.rt1.proprio import check_channels

STATE_LEVELS = 256
_FIELDS = {
    "action": ({"instruction"}, {"state"}),  # needed, allowed besides
    "question": ({"question"}, set[str]()),
    "plan": ({"instruction"}, {"state"}),
    "planned": ({"instruction", "plan"}, {"state"}),
}


@dataclass(frozen=True, slots=True)
class StateFormat:
    """The robot's own state as integers 0 to 255, low to high, in a prompt; values outside the range are clipped.

    names: channels of `rt1.proprio.CHANNELS`, in their units; low, high: one for each.
    """

    names: tuple[str, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]

    def __post_init__(self) -> None:
        """Raise ConfigurationError for an unknown channel or an invalid range."""
        check_channels(self.names)
        if not self.names or not len(self.names) == len(self.low) == len(self.high):
            raise ConfigurationError(f"state format is {self}; valid is one low and one high for each of its names")
        pairs = zip(self.low, self.high, strict=True)
        if not all(math.isfinite(low) and math.isfinite(high) and low < high for low, high in pairs):
            raise ConfigurationError(f"state ranges are {self.low} to {self.high}; valid is finite low < high")

    def text(self, state: ArrayLike) -> str:
        """Return the integers of a state (n,), spaces between. Raises ObservationError for another shape or NaN."""
        values = np.asarray(state, dtype=np.float64)
        if values.shape != (len(self.names),) or not np.isfinite(values).all():
            raise ObservationError(f"state is {values}; valid are finite numbers for {', '.join(self.names)}")
        low, high = np.array(self.low), np.array(self.high)
        levels = np.rint((values - low) / (high - low) * (STATE_LEVELS - 1)).clip(0, STATE_LEVELS - 1)
        return " ".join(str(int(level)) for level in levels)


@dataclass(frozen=True, slots=True)
class PromptTemplate:
    """Texts with the fields {instruction}, {state}, {plan} and {question}.

    action: for an action; question: for an answer; plan: for a plan in words, and planned: for the action that follows
    it, both empty where the model makes no plans; lowercase: of the instruction; state: how {state} is written;
    suffix: a token put behind the prompt where it does not already end in it and the tokenizer knows it.
    """

    name: str
    action: str
    question: str
    plan: str = ""
    planned: str = ""
    lowercase: bool = False
    state: StateFormat | None = None
    suffix: str = ""

    def __post_init__(self) -> None:
        """Raise ConfigurationError for a field that is missing or unknown, and for half a plan or state."""
        for key, (needed, allowed) in _FIELDS.items():
            if getattr(self, key) or key in ("action", "question"):
                self._check_fields(key, needed, allowed)
        if bool(self.plan) != bool(self.planned):
            raise ConfigurationError(f"prompt {self.name}: plan and planned belong together; valid are both or neither")
        if self.wants_state != (self.state is not None):
            raise ConfigurationError(f"prompt {self.name}: {{state}} and a state format belong together")

    def _check_fields(self, key: str, needed: set[str], allowed: set[str]) -> None:
        text = getattr(self, key)
        try:
            found = {field for _, field, _, _ in Formatter().parse(text) if field is not None}
        except ValueError as error:
            raise ConfigurationError(f"prompt {self.name}: {key} is {text!r}: {error}") from error
        if not needed <= found <= needed | allowed:
            raise ConfigurationError(
                f"prompt {self.name}: {key} is {text!r} with fields {sorted(found)}; valid are {sorted(needed)} and, "
                f"if wanted, {sorted(allowed)}"
            )

    @property
    def wants_state(self) -> bool:
        """Whether a prompt holds the robot's state."""
        return any("{state}" in text for text in (self.action, self.plan, self.planned))

    @property
    def plans(self) -> bool:
        """Whether the model was taught to write a plan first."""
        return bool(self.plan)

    def as_read(self, instruction: str) -> str:
        """The instruction in the letters in which the model reads it."""
        return instruction.lower() if self.lowercase else instruction

    def action_prompt(self, instruction: str, state: ArrayLike | None = None, plan: str = "") -> str:
        """Return the prompt for an action, after `plan` where one is given.

        state (n,): in the units of the state format. Raises InstructionError for a text without words,
        ObservationError for a missing state, ConfigurationError for a plan that the template has no place for.
        """
        if plan and not self.plans:
            raise ConfigurationError(f"prompt {self.name} has no place for a plan; valid is an empty one")
        text = self.planned if plan else self.action
        return text.format(**self._task_fields(instruction, state), plan=_words(plan, "plan") if plan else "")

    def plan_prompt(self, instruction: str, state: ArrayLike | None = None) -> str:
        """Return the prompt for a plan. Raises as `action_prompt`, and ConfigurationError where there are no plans."""
        if not self.plans:
            raise ConfigurationError(f"prompt {self.name} makes no plans; valid is a template with plan and planned")
        return self.plan.format(**self._task_fields(instruction, state))

    def question_prompt(self, question: str) -> str:
        """Return the prompt for an answer. Raises InstructionError for a text without words."""
        return self.question.format(question=_words(question, "question"))

    def _task_fields(self, instruction: str, state: ArrayLike | None) -> dict[str, str]:
        words = _words(instruction, "instruction").rstrip(".!? ")
        if not words:
            raise InstructionError(f"the instruction holds no words: {instruction[:80]!r}")
        fields = {"instruction": self.as_read(words), "state": ""}
        if self.state is not None:
            if state is None:
                raise ObservationError(
                    f"prompt {self.name} needs the state {', '.join(self.state.names)}; received none"
                )
            fields["state"] = self.state.text(state)
        return fields

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form: the fields by name, the state as an object of names, low and high, or null."""
        texts = {key: getattr(self, key) for key in ("name", *_FIELDS, "lowercase", "suffix")}
        if self.state is None:
            return texts | {"state": None}
        parts = {key: list(getattr(self.state, key)) for key in ("names", "low", "high")}
        return texts | {"state": parts}

    @classmethod
    def from_dict(cls, data: object) -> PromptTemplate:
        """Read the JSON form. Raises ConfigurationError with what was received and what is valid."""
        kinds: dict[str, type] = {**dict.fromkeys(("name", *_FIELDS, "suffix"), str), "lowercase": bool}
        if not isinstance(data, Mapping) or set(data) != {*kinds, "state"}:
            raise ConfigurationError(f"prompt is {str(data)[:200]}; valid is an object with {', '.join(kinds)}, state")
        for key, kind in kinds.items():
            if not isinstance(data[key], kind):
                raise ConfigurationError(f"prompt: {key} is {data[key]!r}; valid is a {kind.__name__}")
        return cls(**{**data, "state": _state_from(data["state"])})


def _state_from(data: object) -> StateFormat | None:
    if data is None:
        return None
    valid = "valid is null or an object with lists: names, low, high"
    if not isinstance(data, Mapping) or set(data) != {"names", "low", "high"}:
        raise ConfigurationError(f"prompt: state is {data!r}; {valid}")
    try:
        low, high = (tuple(float(value) for value in data[key]) for key in ("low", "high"))
        return StateFormat(tuple(str(name) for name in data["names"]), low, high)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"prompt: state is {data!r}; {valid}") from error


def _words(text: str, what: str) -> str:
    """Single spaces, none at the ends. Raises InstructionError where nothing is left."""
    words = " ".join(text.split())
    if not words:
        raise InstructionError(f"the {what} holds no words: {text[:80]!r}")
    return words


_ACTION = "Q: what action should the robot take to {instruction}?"
_QUESTION = "Q: {question} A:"
TABLETOP_STATE = StateFormat(
    ("ee_x", "ee_y", "ee_z", "gripper_width"), (0.3, -0.5, 0.0, 0.0), (0.8, 0.5, 0.7, 0.1)
)  # holds the workspace of the FR3; another robot's goes into its checkpoint

PROMPTS: Mapping[str, PromptTemplate] = MappingProxyType(
    {
        template.name: template
        for template in (
            PromptTemplate("rt2", f"{_ACTION} A:", _QUESTION),
            PromptTemplate("rt2_state", f"{_ACTION} state: {{state}} A:", _QUESTION, state=TABLETOP_STATE),
            PromptTemplate("rt2_plan", f"{_ACTION} A:", _QUESTION, f"{_ACTION} Plan:", f"{_ACTION} Plan: {{plan}} A:"),
            PromptTemplate(
                "openvla",
                "In: What action should the robot take to {instruction}?\nOut:",
                "In: {question}\nOut:",
                lowercase=True,
                suffix="▁",  # id 29871 of Llama's tokenizer, which OpenVLA appends as in its training
            ),
        )
    }
)


def prompt(name: str) -> PromptTemplate:
    """Return a template by name. Raises ConfigurationError that lists the valid names."""
    if name not in PROMPTS:
        raise ConfigurationError(f"prompt {name!r} is unknown; valid are {', '.join(sorted(PROMPTS))}")
    return PROMPTS[name]
