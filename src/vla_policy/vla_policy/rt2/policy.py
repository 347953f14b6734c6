# SPDX-License-Identifier: Apache-2.0
"""RT-2 behind the `Policy` interface: a vision-language model that can only say legal actions."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from vla_core.action import ActionChunk
from vla_core.observation_map.observation_map import ObservationMap

from vla_policy.action.motion_limits import MotionLimits
from vla_policy.action.steps import check_space
from vla_policy.action.tokenizer import ActionTokenizer
from vla_policy.devices import chosen_device
from vla_policy.engine.choice import EAGER
from vla_policy.errors import (
    CheckpointError,
    ConfigurationError,
    InferenceError,
    InstructionError,
    PolicyError,
)
from vla_policy.mapping.token_actions import check_trained, chunk_of_tokens, map_for
from vla_policy.policy import Answer, BatchPolicy, Observation, PolicyConfig, blank_observation
from vla_policy.rt2.decoding.cached_model import CachedModel
from vla_policy.rt2.decoding.constraint import LegalBins
from vla_policy.rt2.decoding.decode import ActionDecoder, Decoded, Mode
from vla_policy.rt2.decoding.generate import TextGenerator
from vla_policy.rt2.model.checkpoint import RT2Checkpoint, find_checkpoint, load_checkpoint
from vla_policy.rt2.model.compiled import use_engine
from vla_policy.rt2.options import AUTO, Options, options_from, text_option
from vla_policy.rt2.task import Task

DEFAULT_MAX_WIDTH = 0.08  # [m]
PLAN_TOKENS = ANSWER_TOKENS = 48
WARM_UPS = 3  # CUDA graphs are recorded in the second pass
BLANK_SIZE = (128, 160)  # (height, width) [px] of the picture that warms up a model which names no size


class RT2Policy(BatchPolicy):
    """One action per observation. Not thread-safe: one caller at a time."""

    name = "rt2"

    def __init__(
        self,
        checkpoint: RT2Checkpoint,
        options: Options | None = None,
        limits: MotionLimits | None = None,
        period_s: float = 0.2,
        observation_map: ObservationMap | None = None,
    ) -> None:
        """limits: narrow what is legal; period_s [s]: where the checkpoint does not say which it was trained at;
        observation_map: what state and action are, of a checkpoint that was trained on recorded actions.

        Raises ConfigurationError for an option that is not valid, or a plan that the model was not taught to make, and
        CheckpointError for an action space that no arm can be moved with.
        """
        self._backend, self._info, self._source = checkpoint.backend, checkpoint.info, checkpoint.source
        self._options = options or Options()
        if self._options.plan and not self._info.prompt.plans:
            raise ConfigurationError(f"plan is true, but {self._source} has not learnt to plan; valid is plan:=false")
        control = self._info.control
        self._period_s = float(control.get("period_s", period_s))
        self._max_width = float(control.get("gripper_max_width", DEFAULT_MAX_WIDTH))
        self._map = observation_map
        if observation_map is None:
            self._space = check_space(self._info.action_space)
        else:
            self._space = self._info.action_space
            state = self._info.prompt.state
            names = state.names if state is not None else ()
            check_trained(observation_map, len(self._space.names), len(names), self._source)
            self._period_s = observation_map.period_s
        self._tokenizer = ActionTokenizer(self._space)
        runner = CachedModel(self._backend.model, compile=self._options.compile)
        self._decoder = ActionDecoder(
            self._backend,
            self._info,
            LegalBins(self._space, limits, self._period_s),
            self._info.decode if self._options.decode == AUTO else self._options.decode,
            self._options.temperature,
            self._options.beams,
            self._options.mass,
            runner=runner,
            seed=self._options.seed if self._options.seed >= 0 else None,
        )
        self._text = TextGenerator(self._backend, runner=runner)
        self._one_by_one = self._options.decode == Mode.BEAM or self._options.compile  # for these the batch is one
        self._task = Task()

    @property
    def image_size(self) -> tuple[int, int] | None:
        """(height, width) [px] of the pictures it was trained on, None where the checkpoint names none."""
        size = self._info.control.get("image_size")
        return None if size is None else (int(size[0]), int(size[1]))

    @property
    def checkpoint(self) -> str:
        """The folder or hub id that was loaded."""
        return self._source

    def reset(self, instruction: str) -> None:
        """Begin a task and forget its plan. Raises InstructionError for a text without words or with control tokens."""
        for text in (instruction, self._info.prompt.as_read(instruction)):
            self._backend.check_words(text)
        state = self._info.prompt.state
        self._info.prompt.action_prompt(instruction, None if state is None else state.low)  # may refuse
        self._task = Task(instruction)

    def session(self) -> Self:
        """Return a policy with a task of its own and the same model; both must be used from one thread."""
        other = copy.copy(self)
        other._task = Task()
        return other

    def infer_batch(
        self, sessions: Sequence[Self], observations: Sequence[Observation]
    ) -> list[ActionChunk | PolicyError]:
        """One step for each session: all prompts in one padded batch; plans are written one by one before.

        In place of a chunk: ObservationError for a picture that the processor refuses or an unknown state,
        InstructionError before `reset`, ActionRefusedError where the legal mass is under the threshold, InferenceError
        where the model fails.
        """
        prompts = [session._prompt(seen) for session, seen in zip(sessions, observations, strict=True)]
        rows = [(i, prompt) for i, prompt in enumerate(prompts) if isinstance(prompt, str)]
        decoded = self._decoded([observations[i] for i, _ in rows], [prompt for _, prompt in rows])
        results: dict[int, Decoded | PolicyError] = {i: p for i, p in enumerate(prompts) if isinstance(p, PolicyError)}
        results |= {i: each for (i, _), each in zip(rows, decoded, strict=True)}
        return [sessions[i]._chunk(observations[i], results[i]) for i in range(len(prompts))]

    def ask(self, observation: Observation, question: str) -> Answer:
        """Answer a question about the picture; the task continues.

        Raises InstructionError for a text without words or an empty answer, ObservationError for a picture that the
        processor refuses, InferenceError where the model fails.
        """
        prompt = self._info.prompt.question_prompt(self._backend.check_words(question))
        text, confidence = self._written(observation, prompt, ANSWER_TOKENS)
        if not text:
            raise InstructionError(f"the model answers nothing to {question[:80]!r}")
        return Answer(text, confidence)

    def plan(self, observation: Observation) -> str:
        """Return what the model would do about the instruction, in words; empty where it was not taught to plan."""
        if not self._info.prompt.plans:
            return ""
        prompt = self._info.prompt.plan_prompt(self._task.given(), self._state(observation))
        text, _ = self._written(observation, prompt, PLAN_TOKENS)
        try:
            return " ".join(self._backend.check_words(text).split())
        except InstructionError:  # it goes into the next prompt, where a placeholder would spoil the count
            return ""

    def warm_up(self) -> None:
        """Act on a blank picture, so that the first real one is not slow; leaves the policy as before `reset`.

        Raises CheckpointError where that fails, as for a processor that does not belong to the model.
        """
        height, width = self.image_size or BLANK_SIZE
        blank = blank_observation(height, width, self._map)
        state = self._info.prompt.state
        prompt = self._info.prompt.action_prompt("warm up", None if state is None else state.low)
        try:
            for _ in range(WARM_UPS if self._options.compile else 1):
                for made in self._decoded([blank], [prompt]):
                    if isinstance(made, PolicyError):
                        raise made
        except PolicyError as error:
            raise CheckpointError(f"{self._source} cannot act on a picture {height}x{width}: {error}") from error

    def close(self) -> None:
        """Forget the task and what was computed for it."""
        self._task = Task()
        self._decoder.runner.reset()

    def _state(self, observation: Observation) -> NDArray[np.float32] | None:
        return self._task.state(self._info.prompt.state, observation, self._max_width, self._map)

    def _prompt(self, observation: Observation) -> str | PolicyError:
        """Return the prompt for this robot's next action, its plan renewed where that is due, or why there is none."""
        task = self._task
        try:
            instruction, state = task.given(), self._state(observation)
            if self._options.plan and task.needs_plan(observation.stamp):
                task.plan, task.plan_stamp = self.plan(observation), observation.stamp
            return self._info.prompt.action_prompt(instruction, state, task.plan)
        except PolicyError as error:
            return error

    def _decoded(self, observations: Sequence[Observation], prompts: Sequence[str]) -> list[Decoded | PolicyError]:
        """One pass for all rows; where it fails, or cannot be, one for each, so that a row fails alone."""
        if len(prompts) > 1 and self._one_by_one:
            return [self._decoded([seen], [prompt])[0] for seen, prompt in zip(observations, prompts, strict=True)]
        if not prompts:
            return []
        try:
            inputs = self._inputs(observations, prompts, len(self._space.names))
            return list(self._decoder.decode_batch(inputs, observations))
        except (RuntimeError, ValueError, IndexError) as error:
            failed: PolicyError = InferenceError(f"the model fails: {type(error).__name__}: {error}")
        except PolicyError as error:
            failed = error
        if len(prompts) == 1:
            return [failed]
        return [self._decoded([seen], [prompt])[0] for seen, prompt in zip(observations, prompts, strict=True)]

    def _chunk(self, observation: Observation, decoded: Decoded | PolicyError) -> ActionChunk | PolicyError:
        if isinstance(decoded, PolicyError):
            return decoded
        values = self._tokenizer.rest(self._tokenizer.decode(decoded.tokens))
        try:
            self._options.check_mass(decoded.legal_mass)
            chunk = chunk_of_tokens(
                self._space,
                values,
                observation,
                self._period_s,
                decoded.tokens,
                decoded.probabilities,
                decoded.legal_mass,
                self._task.plan,
                self._map,
            )
        except PolicyError as error:
            return error
        self._task.commanded(chunk.steps[0].gripper)
        return chunk

    def _written(self, observation: Observation, prompt: str, tokens: int) -> tuple[str, float]:
        inputs = self._inputs([observation], [prompt], tokens)
        try:
            made = self._text.generate(inputs, tokens)
        except (RuntimeError, ValueError, IndexError) as error:
            raise InferenceError(f"the model fails: {type(error).__name__}: {error}") from error
        return made.text.strip(), made.confidence

    def _inputs(self, observations: Sequence[Observation], prompts: Sequence[str], room: int) -> dict[str, Tensor]:
        return self._backend.inputs([seen.image for seen in observations], prompts, self._info.prompt.suffix, room)


OPTIONS = Options


def create(config: PolicyConfig) -> RT2Policy:
    """Load, check and warm up. Raises CheckpointError (missing, damaged, other robot) and ConfigurationError."""
    options = options_from(config.options)
    if config.threads > 0:
        torch.set_num_threads(config.threads)
    checkpoint = load_checkpoint(
        find_checkpoint(config.checkpoint, config.robot),
        config.robot or None,
        chosen_device(config.device),
        text_option(config.options, "dtype", "auto"),
        text_option(config.options, "quantization", "none"),
    )
    use_engine(checkpoint, config.options.get("engine", EAGER), config.threads)
    observation_map = map_for(config, checkpoint.info.control, checkpoint.source)
    policy = RT2Policy(checkpoint, options, config.limits, config.period_s, observation_map)
    policy.warm_up()
    return policy
