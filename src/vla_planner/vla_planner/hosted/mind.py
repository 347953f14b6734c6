# SPDX-License-Identifier: Apache-2.0
"""A mind on a server: requests out, checked replies in. What is invalid becomes a ReplyError and is asked again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from vla_core.hosted.errors import DeclinedError, RefusedError, UnreachableError, UnusableError
from vla_core.hosted.model import HostedModel, Request
from vla_core.settings import SettingsError, setting, settings_from_texts

from vla_planner.errors import ConfigurationError, PlannerUnavailableError, ReplyError
from vla_planner.hosted import replies, requests
from vla_planner.hosted.schemas import MAX_STEPS
from vla_planner.planner import (
    Decision,
    Image,
    Planner,
    PlannerConfig,
    Situation,
    Usage,
    Verdict,
    judge_done,
    judge_possible,
)
from vla_planner.vocabulary import Step, Vocabulary

T = TypeVar("T")
OptionsT = TypeVar("OptionsT")


@dataclass(frozen=True, slots=True)
class MindOptions:
    """What a hosted mind is asked for."""

    horizon: str = setting("plan", "a decision has all that is left, or the next step alone", choices=("plan", "next"))
    verdicts: str = setting("model", "who judges steps: the model, or the symbols", choices=("model", "symbols"))


class HostedPlanner(Planner):
    """Has a hosted model decide and judge."""

    wants_picture = True

    def __init__(self, name: str, model: HostedModel, options: MindOptions, vocabulary: Vocabulary) -> None:
        """Prepare; nothing is sent before the first decision."""
        self.name = name
        self._model, self._options, self._vocabulary = model, options, vocabulary

    def decide(self, situation: Situation) -> Decision:
        """Return the model's decision; a model that declines the goal makes a refusal of it."""
        one_step = self._options.horizon == "next"
        request = requests.decide(self._vocabulary, situation, one_step)
        most, names = 1 if one_step else MAX_STEPS, situation.scene.names
        try:
            return self._ask(request, lambda reply: replies.read_decision(reply, self._vocabulary, names, most))
        except DeclinedError as error:
            return Decision(refusal=str(error))

    def done(self, situation: Situation, step: Step) -> Verdict:
        """Return the verdict on a step that the policy has just ended, the model's or the symbols'."""
        if self._options.verdicts == "symbols":
            return judge_done(situation.scene, step)
        return self._judge(requests.done(self._vocabulary, situation, step))

    def possible(self, situation: Situation, step: Step) -> Verdict:
        """Return the verdict on whether a step can be done now, the model's or the symbols'."""
        if self._options.verdicts == "symbols":
            return judge_possible(situation.scene, step)
        return self._judge(requests.possible(self._vocabulary, situation, step))

    def answer(self, situation: Situation, question: str) -> str:
        """Return the model's answer to an operator's question; empty where it does not know or declines."""
        try:
            return self._ask(requests.answer(self._vocabulary, situation, question), replies.read_answer)
        except DeclinedError:
            return ""

    def points(self, picture: Image, names: Sequence[str]) -> dict[str, tuple[float, float]]:
        """Return (x, y) [px] of the named objects that the model finds in a picture (H, W, 3) RGB."""
        shape = (picture.shape[0], picture.shape[1])
        try:
            return self._ask(requests.points(picture, names), lambda reply: replies.read_points(reply, names, shape))
        except DeclinedError as error:
            raise ReplyError(str(error)) from error

    @property
    def usage(self) -> Usage:
        """What was used since the start."""
        meter = self._model.meter
        return Usage(meter.requests, meter.cost, meter.input_tokens, meter.output_tokens, meter.latency)

    def close(self) -> None:
        """End a request that waits for its repetition."""
        self._model.close()

    def _judge(self, request: Request) -> Verdict:
        try:
            return self._ask(request, replies.read_verdict)
        except DeclinedError as error:
            raise ReplyError(str(error)) from error

    def _ask(self, request: Request, read: Callable[[object], T]) -> T:
        """Return what `read` makes of the reply.

        Raises:
            PlannerUnavailableError: no answer, or the key or the model is refused.
            ReplyError: the reply is invalid.
            DeclinedError: the model declined.
        """
        try:
            return read(self._model.complete(request).value)
        except DeclinedError:
            raise
        except UnusableError as error:
            raise ReplyError(str(error)) from error
        except (UnreachableError, RefusedError) as error:
            raise PlannerUnavailableError(f"planner {self.name}: {error}") from error


def make(
    name: str, config: PlannerConfig, schema: type[OptionsT], model: Callable[[OptionsT], HostedModel]
) -> HostedPlanner:
    """Return the mind called `name`, whose model is made from those of `config.options` that are in `schema`.

    Raises:
        ConfigurationError: an option is unknown or invalid.
        PlannerUnavailableError: a key, a model's name or a usable address is missing.
    """
    own = {key: text for key, text in config.options.items() if key in MindOptions.__dataclass_fields__}
    rest = {key: text for key, text in config.options.items() if key not in own}
    try:
        options, settings = settings_from_texts(MindOptions, own), settings_from_texts(schema, rest)
    except SettingsError as error:
        also = ", ".join(MindOptions.__dataclass_fields__)
        raise ConfigurationError(f"planner {name}: {error}; of every hosted planner: {also}") from error
    try:
        return HostedPlanner(name, model(settings), options, config.vocabulary)
    except RefusedError as error:
        raise PlannerUnavailableError(f"planner {name}: {error}") from error
