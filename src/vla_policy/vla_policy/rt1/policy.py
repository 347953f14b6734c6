# SPDX-License-Identifier: Apache-2.0
"""RT-1 behind the `Policy` interface: keeps the tokens of earlier frames, turns logits into chunks of one step."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from enum import Enum
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from vla_core.action import ActionChunk
from vla_core.observation_map.observation_map import ObservationMap

from vla_policy.action.space import ActionSpace
from vla_policy.action.tokenizer import ActionTokenizer
from vla_policy.devices import chosen_device
from vla_policy.engine.choice import EAGER
from vla_policy.errors import (
    InstructionError,
    ObservationError,
    PolicyError,
)
from vla_policy.mapping.token_actions import check_trained, chunk_of_tokens, map_for
from vla_policy.policy import BatchPolicy, NoOptions, Observation, PolicyConfig, blank_observation
from vla_policy.rt1.checkpoint import Checkpoint, find_checkpoint, load_checkpoint, space_of
from vla_policy.rt1.compiled import Passes, find_passes
from vla_policy.rt1.history import History
from vla_policy.rt1.instruction import Encoder, find_encoder
from vla_policy.rt1.proprio import check_channels

NEIGHBOURS = 2  # bins on either side of the most probable one that Decoding.EXPECTED averages
DEFAULT_MAX_WIDTH = 0.08  # [m]


class Decoding(Enum):
    """How the probabilities of a continuous dimension become one number.

    GREEDY: the most probable bin. EXPECTED: the mean over that bin and its neighbours, finer than a bin, and still
    committed to one of several peaks (the mean over all bins would dither between them).
    """

    GREEDY = "greedy"
    EXPECTED = "expected"


class RT1Policy(BatchPolicy):
    """One action per observation. Not thread-safe: one caller at a time."""

    name = "rt1"

    def __init__(
        self,
        checkpoint: Checkpoint,
        encoder: Encoder,
        device: str = "cpu",
        period_s: float = 0.2,
        decoding: Decoding = Decoding.GREEDY,
        source: str = "",
        passes: Passes | None = None,
        observation_map: ObservationMap | None = None,
    ) -> None:
        """period_s [s]: used where the checkpoint does not say which period it was trained at; passes: the checkpoint's
        network compiled, None for the network itself; observation_map: what state and action are, of a checkpoint that
        was trained on recorded actions.

        Raises CheckpointError when the action space does not fit the network, ConfigurationError for such a map.
        """
        self._config, self._source, self._decoding = checkpoint.info.network, source, decoding
        self._space = space_of(checkpoint)
        check_channels(self._config.proprio)
        self._tokenizer = ActionTokenizer(self._space)
        self._device = torch.device(device)
        self._network, self._encoder = checkpoint.network.to(self._device).eval(), encoder
        self._passes: Passes = passes or self._network
        control = checkpoint.info.control
        self._period_s = float(control.get("period_s", period_s))
        max_width = float(control.get("gripper_max_width", DEFAULT_MAX_WIDTH))
        if observation_map is not None:
            check_trained(observation_map, len(self._space.names), len(self._config.proprio), source)
            self._period_s = observation_map.period_s
        self._map = observation_map
        self._valid = torch.arange(self._space.bins)[None] < torch.tensor(self._space.sizes)[:, None]  # (d, bins)
        self._history = History(
            self._config, self._period_s, max_width, observation_map if self._config.proprio else None
        )

    @property
    def image_size(self) -> tuple[int, int]:
        """(height, width) [px] of the pictures it was trained on."""
        return self._config.given_size

    @property
    def history(self) -> int:
        """The frames that it sees beside the latest one."""
        return self._config.history - 1

    @property
    def checkpoint(self) -> str:
        """The folder that was loaded."""
        return self._source

    @property
    def action_space(self) -> ActionSpace:
        """The checkpoint's action space."""
        return self._space

    def reset(self, instruction: str) -> None:
        """Begin a task: encode the instruction (cached per text) and forget all frames. Raises InstructionError."""
        try:
            features = self._encoder(instruction)
        except ValueError as error:
            raise InstructionError(str(error)) from error
        with torch.inference_mode():
            self._history.begin(self._network.condition(features.to(self._device)))

    def session(self) -> Self:
        """Return a policy with a task of its own and the same network."""
        other = copy.copy(self)
        other._history = self._history.fresh()
        return other

    def infer_batch(
        self, sessions: Sequence[Self], observations: Sequence[Observation]
    ) -> list[ActionChunk | PolicyError]:
        """One step for each session: the pictures in one pass through the image tokenizer, then one decoding pass.

        In place of a chunk: ObservationError for another image size or unknown state, InstructionError before `reset`.
        """
        states = [session._checked(seen) for session, seen in zip(sessions, observations, strict=True)]
        usable = {i: state for i, state in enumerate(states) if not isinstance(state, PolicyError)}
        if usable:
            asked = [sessions[i] for i in usable]
            self._remember(asked, [observations[i] for i in usable], list(usable.values()))
            probabilities = dict(zip(usable, self._probabilities(asked), strict=True))
        return [
            state if isinstance(state, PolicyError) else sessions[i]._chunk(observations[i], probabilities[i])
            for i, state in enumerate(states)
        ]

    def warm_up(self, runs: int = 2) -> None:
        """Run blank observations, so that the first real one is not slow; leaves the policy as before `reset`."""
        height, width = self.image_size
        blank = blank_observation(height, width, self._map)
        self.reset(self._encoder.example)
        for _ in range(runs):
            self.infer(blank)
        self._history.begin(None)

    def close(self) -> None:
        """Forget the task."""
        self._history.begin(None)

    @property
    def encoder_id(self) -> str:
        """Digest of the weights that the image tokens depend on."""
        return self._network.encoder_digest()

    def encode(self, observation: Observation) -> NDArray[np.float32]:
        """Return the image tokens (tokens, d). Raises ObservationError, InstructionError before `reset`."""
        self._check_sight(observation)
        tokens: NDArray[np.float32] = self._frames([self], [observation])[0].cpu().numpy()
        return tokens

    def _checked(self, observation: Observation) -> NDArray[np.float32] | PolicyError:
        """Return the robot's state (p,), or what makes this observation or the task unusable."""
        try:
            self._check_sight(observation)
            return self._history.proprio(self._config.proprio, observation)
        except PolicyError as error:
            return error

    def _check_sight(self, observation: Observation) -> None:
        _ = self._history.condition
        height, width = observation.image.shape[:2]
        if (height, width) != self.image_size:
            needed = f"the network needs {self.image_size[0]}x{self.image_size[1]}"
            raise ObservationError(f"image is {height}x{width} (height x width); {needed}")
        shape = (self._config.tokens_per_frame, self._config.width_of_tokens)
        if observation.encoded is not None and observation.encoded.shape != shape:
            raise ObservationError(f"image tokens are {observation.encoded.shape}; the network needs {shape}")

    def _remember(
        self, sessions: Sequence[Self], observations: Sequence[Observation], states: Sequence[NDArray[np.float32]]
    ) -> None:
        """Add each session's frame, the only one whose tokens are computed."""
        proprio = torch.from_numpy(np.stack(states)).to(self._device)
        frames = self._frames(sessions, observations)
        for session, seen, frame, state in zip(sessions, observations, frames, proprio, strict=True):
            session._history.add(seen.stamp, frame, state)

    @torch.inference_mode()
    def _frames(self, sessions: Sequence[Self], observations: Sequence[Observation]) -> list[Tensor]:
        """Return each frame's tokens (n, d_model): those that came with it, and of all others' images in one pass."""
        frames = {
            i: torch.from_numpy(seen.encoded).to(self._device)
            for i, seen in enumerate(observations)
            if seen.encoded is not None
        }
        seeing = [i for i in range(len(observations)) if i not in frames]
        if seeing:
            images = torch.from_numpy(np.stack([observations[i].image for i in seeing])).to(self._device)
            conditions = torch.cat([sessions[i]._history.condition for i in seeing])
            tokens = self._passes.picture_tokens(images, conditions)
            frames |= dict(zip(seeing, tokens, strict=True))
        return [frames[i] for i in range(len(observations))]

    @torch.inference_mode()
    def _probabilities(self, sessions: Sequence[Self]) -> NDArray[np.float64]:
        """(n, d, bins) of each session's newest frame; bins beyond a dimension's categories have none."""
        contexts = [session._history.context() for session in sessions]
        # shorter histories are padded behind their newest frame, which sees nothing of what comes later
        tokens, proprio = (pad_sequence(list(part), batch_first=True) for part in zip(*contexts, strict=True))
        logits = self._passes.decode(tokens, proprio if self._config.proprio else None)
        newest = [len(tokens) - 1 for tokens, _ in contexts]
        logits = logits[torch.arange(len(sessions)), torch.tensor(newest)]
        logits = logits.cpu().double().masked_fill(~self._valid, -math.inf)
        return np.asarray(logits.softmax(dim=-1).numpy())

    def _chunk(self, observation: Observation, probabilities: NDArray[np.float64]) -> ActionChunk | PolicyError:
        """Return the chunk of the most probable tokens under probabilities (d, bins)."""
        tokens = probabilities.argmax(axis=1)
        chosen = np.take_along_axis(probabilities, tokens[:, None], axis=1)[:, 0]
        values = self._values(probabilities, tokens)
        try:
            chunk = chunk_of_tokens(
                self._space, values, observation, self._period_s, tokens, chosen, observation_map=self._map
            )
        except PolicyError as error:
            return error
        self._history.commanded(chunk.steps[0].gripper)
        return chunk

    def _values(self, probabilities: NDArray[np.float64], tokens: NDArray[np.int64]) -> NDArray[np.float64]:
        values = self._tokenizer.decode(tokens)
        if self._decoding is Decoding.EXPECTED:
            for index, dimension in enumerate(self._space.dimensions):
                if not dimension.discrete:
                    bin_width = (dimension.high - dimension.low) / (self._space.bins - 1)
                    values[index] += bin_width * _local_mean_offset(probabilities[index], int(tokens[index]))
        return self._tokenizer.rest(values)


def _local_mean_offset(probabilities: NDArray[np.float64], mode: int) -> float:
    """Mean bin around `mode`, minus `mode`. [bins]"""
    bins = np.arange(max(mode - NEIGHBOURS, 0), min(mode + NEIGHBOURS + 1, len(probabilities)))
    return float(np.average(bins, weights=probabilities[bins]) - mode)


OPTIONS = NoOptions


def create(config: PolicyConfig) -> RT1Policy:
    """Load, check and warm up. Raises CheckpointError (missing, damaged, other robot) and ConfigurationError."""
    device = chosen_device(config.device)
    if config.threads > 0:
        torch.set_num_threads(config.threads)
    folder = find_checkpoint(config.checkpoint, config.robot)
    checkpoint = load_checkpoint(folder, robot=config.robot or None)
    encoder = find_encoder(checkpoint.info.network, checkpoint.info.control, folder)
    engine = config.options.get("engine", EAGER)
    passes = find_passes(checkpoint.network, engine, device, folder, config.threads)
    observation_map = map_for(config, checkpoint.info.control, str(folder))
    policy = RT1Policy(
        checkpoint, encoder, device, config.period_s, source=str(folder), passes=passes, observation_map=observation_map
    )
    policy.warm_up()
    return policy
