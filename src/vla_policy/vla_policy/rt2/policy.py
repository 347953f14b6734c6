# SPDX-License-Identifier: Apache-2.0
"""RT-2 behind the `Policy` interface: a vision-language model that can only say legal actions."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from vla_core.action import ActionChunk

from vla_policy.action.motion_limits import MotionLimits
from vla_policy.action.steps import check_space, step_from_vector
from vla_policy.action.tokenizer import ActionTokenizer
from vla_policy.errors import (
    ActionRefusedError,
    CheckpointError,
    ConfigurationError,
    InferenceError,
    InstructionError,
    PolicyError,
)
from vla_policy.policy import Answer, Observation, Policy, PolicyConfig
from vla_policy.rt1.proprio import initial_gripper_command, proprio_vector
from vla_policy.rt2.decoding.cached_model import CachedModel
from vla_policy.rt2.decoding.constraint import LegalBins
from vla_policy.rt2.decoding.decode import ActionDecoder, Decoded, Mass
from vla_policy.rt2.decoding.generate import TextGenerator
from vla_policy.rt2.model.checkpoint import RT2Checkpoint, find_checkpoint, load_checkpoint
from vla_policy.rt2.model.loading import chosen_device
from vla_policy.rt2.options import AUTO, Options, options_from, text_option

DEFAULT_MAX_WIDTH = 0.08  # [m]
PLAN_PERIOD_S = 5.0  # a plan older than this is replaced
PLAN_TOKENS = ANSWER_TOKENS = 48
WARM_UPS = 3  # CUDA graphs are recorded in the second pass
BLANK_SIZE = (128, 160)  # (height, width) [px] of the picture that warms up a model which names no size


class RT2Policy(Policy):
    """One action per observation. Not thread-safe: one caller at a time."""

    name = "rt2"

    def __init__(
        self,
        checkpoint: RT2Checkpoint,
        options: Options | None = None,
        limits: MotionLimits | None = None,
        period_s: float = 0.2,
    ) -> None:
        """limits: narrow what is legal; period_s [s]: where the checkpoint does not say which it was trained at.

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
        self._space = check_space(self._info.action_space)
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
        self._instruction = ""
        self._forget()

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
        self._forget()
        self._instruction = instruction

    def infer(self, observation: Observation) -> ActionChunk:
        """One step.

        Raises ObservationError for a picture that the processor refuses or an unknown state, InstructionError before
        reset, ActionRefusedError where the legal mass is under the threshold, InferenceError where the model fails.
        """
        if not self._instruction:
            raise InstructionError("no instruction was given: call reset first")
        state = self._state(observation)
        self._renew_plan(observation, state)
        prompt = self._info.prompt.action_prompt(self._instruction, state, self._plan)
        decoded = self._decoded(observation, prompt)
        self._check_mass(decoded.legal_mass)
        values = self._tokenizer.rest(self._tokenizer.decode(decoded.tokens))
        step = step_from_vector(self._space, values, self._period_s)
        if not math.isnan(step.gripper):
            self._last_gripper = step.gripper
        return ActionChunk(
            observation.stamp,
            self._space.mode,
            self._space.delta_reference,
            self._period_s,
            (step,),
            joint_names=observation.joint_names[: step.joints.size] if step.joints is not None else (),
            dimension_names=self._space.names,
            tokens=decoded.tokens[None],
            token_probabilities=decoded.probabilities[None],
            legal_mass=decoded.legal_mass[None],
            plan=self._plan,
        )

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
        prompt = self._info.prompt.plan_prompt(self._instruction, self._state(observation))
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
        blank = Observation(
            0.0,
            np.zeros((height, width, 3), np.uint8),
            (),
            np.zeros(0),
            np.zeros(3),
            np.array([0.0, 0.0, 0.0, 1.0]),
            0.0,
        )
        state = self._info.prompt.state
        prompt = self._info.prompt.action_prompt("warm up", None if state is None else state.low)
        try:
            for _ in range(WARM_UPS if self._options.compile else 1):
                self._decoded(blank, prompt)
        except PolicyError as error:
            raise CheckpointError(f"{self._source} cannot act on a picture {height}x{width}: {error}") from error

    def close(self) -> None:
        """Forget the task and what was computed for it."""
        self._instruction = ""
        self._forget()
        self._decoder.runner.reset()

    def _forget(self) -> None:
        self._plan, self._plan_stamp, self._last_gripper = "", math.nan, math.nan

    def _state(self, observation: Observation) -> NDArray[np.float32] | None:
        """(n,) what the prompt says about the robot, None where it says nothing."""
        state = self._info.prompt.state
        if state is None:
            return None
        last = self._last_gripper
        if math.isnan(last):
            last = initial_gripper_command(observation.gripper_width, self._max_width)
        return proprio_vector(state.names, observation, last)

    def _renew_plan(self, observation: Observation, state: NDArray[np.float32] | None) -> None:
        if not self._options.plan:
            return
        if not 0.0 <= observation.stamp - self._plan_stamp < PLAN_PERIOD_S:
            self._plan, self._plan_stamp = self.plan(observation), observation.stamp

    def _decoded(self, observation: Observation, prompt: str) -> Decoded:
        inputs = self._inputs(observation, prompt, len(self._space.names))
        try:
            return self._decoder.decode(inputs, observation)
        except (RuntimeError, ValueError, IndexError) as error:
            raise InferenceError(f"the model fails: {type(error).__name__}: {error}") from error

    def _written(self, observation: Observation, prompt: str, tokens: int) -> tuple[str, float]:
        inputs = self._inputs(observation, prompt, tokens)
        try:
            made = self._text.generate(inputs, tokens)
        except (RuntimeError, ValueError, IndexError) as error:
            raise InferenceError(f"the model fails: {type(error).__name__}: {error}") from error
        return made.text.strip(), made.confidence

    def _inputs(self, observation: Observation, prompt: str, room: int) -> dict[str, Tensor]:
        return self._backend.inputs([observation.image], [prompt], self._info.prompt.suffix, room)

    def _check_mass(self, mass: NDArray[np.float32]) -> None:
        """mass (d,): NaN where it was not asked for, or where the model's numbers are none."""
        least = float(mass.min()) if self._options.mass == Mass.ALL else float(mass[0])
        if self._options.min_legal_mass > 0.0 and not least >= self._options.min_legal_mass:
            raise ActionRefusedError(
                f"the model gives {least:.3f} to the legal actions; valid is {self._options.min_legal_mass} "
                "or more (min_legal_mass): it has something else to say",
                least,
            )


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
    policy = RT2Policy(checkpoint, options, config.limits, config.period_s)
    policy.warm_up()
    return policy
