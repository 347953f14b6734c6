# SPDX-License-Identifier: Apache-2.0
"""RT-1 behind the `Policy` interface: keeps the tokens of earlier frames, turns logits into a chunk of one step."""

from __future__ import annotations

import math
from collections import deque
from enum import Enum
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from vla_core.action import ActionChunk

from vla_policy.action.space import ActionSpace
from vla_policy.action.steps import check_space, step_from_vector
from vla_policy.action.tokenizer import ActionTokenizer
from vla_policy.errors import ActionSpaceError, CheckpointError, ConfigurationError, InstructionError, ObservationError
from vla_policy.policy import Observation, Policy, PolicyConfig
from vla_policy.rt1.checkpoint import CONFIG_FILE, Checkpoint, load_checkpoint
from vla_policy.rt1.instruction import InstructionEncoder
from vla_policy.rt1.proprio import check_channels, initial_gripper_command, proprio_vector

SHIPPED = Path(__file__).resolve().parent / "weights"
NEIGHBOURS = 2  # bins on either side of the most probable one that Decoding.EXPECTED averages
MAX_GAP_STEPS = 5  # a pause of more periods than this makes the history worthless
DEFAULT_MAX_WIDTH = 0.08  # [m]


class Decoding(Enum):
    """How the probabilities of a continuous dimension become one number.

    GREEDY: the most probable bin. EXPECTED: the mean over that bin and its neighbours, finer than a bin, and still
    committed to one of several peaks (the mean over all bins would dither between them).
    """

    GREEDY = "greedy"
    EXPECTED = "expected"


class RT1Policy(Policy):
    """One action per observation. Not thread-safe: one caller at a time."""

    name = "rt1"

    def __init__(
        self,
        checkpoint: Checkpoint,
        encoder: InstructionEncoder,
        device: str = "cpu",
        period_s: float = 0.2,
        decoding: Decoding = Decoding.GREEDY,
        source: str = "",
    ) -> None:
        """period_s [s]: used where the checkpoint does not say which period it was trained at.

        Raises CheckpointError when the action space does not fit the network.
        """
        self._config, self._source, self._decoding = checkpoint.info.network, source, decoding
        self._space = _checked_space(checkpoint)
        check_channels(self._config.proprio)
        self._tokenizer = ActionTokenizer(self._space)
        self._device = torch.device(device)
        self._network, self._encoder = checkpoint.network.to(self._device).eval(), encoder
        control = checkpoint.info.control
        self._period_s = float(control.get("period_s", period_s))
        self._max_width = float(control.get("gripper_max_width", DEFAULT_MAX_WIDTH))
        self._valid = torch.arange(self._space.bins)[None] < torch.tensor(self._space.sizes)[:, None]  # (d, bins)
        self._condition: Tensor | None = None
        self._tokens: deque[Tensor] = deque(maxlen=self._config.history)  # each (tokens, d_model)
        self._proprio: deque[Tensor] = deque(maxlen=self._config.history)  # each (p,)
        self._last_gripper, self._last_stamp = math.nan, math.nan

    @property
    def image_size(self) -> tuple[int, int]:
        """(height, width) [px] of the pictures it was trained on."""
        return self._config.image_size

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
            self._condition = self._network.condition(features.to(self._device))
        self._forget()
        self._last_gripper = math.nan

    def infer(self, observation: Observation) -> ActionChunk:
        """One step. Raises ObservationError for another image size or unknown state, InstructionError before reset."""
        if self._condition is None:
            raise InstructionError("no instruction was given: call reset first")
        if observation.image.shape[:2] != self.image_size:
            raise ObservationError(
                f"image is {observation.image.shape[0]}x{observation.image.shape[1]} (height x "
                f"width); the network needs {self.image_size[0]}x{self.image_size[1]}"
            )
        self._remember(observation, self._condition)
        probabilities = self._probabilities()
        tokens = probabilities.argmax(axis=1)
        step = step_from_vector(self._space, self._values(probabilities, tokens), self._period_s)
        if not math.isnan(step.gripper):
            self._last_gripper = step.gripper
        chosen = np.take_along_axis(probabilities, tokens[:, None], axis=1).T
        return ActionChunk(
            observation.stamp,
            self._space.mode,
            self._space.delta_reference,
            self._period_s,
            (step,),
            joint_names=observation.joint_names[: step.joints.size] if step.joints is not None else (),
            dimension_names=self._space.names,
            tokens=tokens[None].astype(np.uint16),
            token_probabilities=chosen.astype(np.float32),
        )

    def warm_up(self, runs: int = 2) -> None:
        """Run blank observations, so that the first real one is not slow; leaves the policy as before `reset`."""
        height, width = self.image_size
        blank = Observation(
            0.0,
            np.zeros((height, width, 3), np.uint8),
            (),
            np.zeros(0),
            np.zeros(3),
            np.array([0.0, 0.0, 0.0, 1.0]),
            0.0,
        )
        self.reset("warm up")
        for _ in range(runs):
            self.infer(blank)
        self._condition = None
        self._forget()

    def close(self) -> None:
        """Forget the task."""
        self._condition = None
        self._forget()

    def _forget(self) -> None:
        self._tokens.clear()
        self._proprio.clear()
        self._last_stamp = math.nan

    @torch.inference_mode()
    def _remember(self, observation: Observation, condition: Tensor) -> None:
        """Add this frame's tokens, the only ones computed; the first frame of a history fills it."""
        if math.isnan(self._last_gripper):
            self._last_gripper = initial_gripper_command(observation.gripper_width, self._max_width)
        proprio = torch.from_numpy(proprio_vector(self._config.proprio, observation, self._last_gripper))
        if not 0.0 <= observation.stamp - self._last_stamp <= MAX_GAP_STEPS * self._period_s:
            self._forget()
        self._last_stamp = observation.stamp
        image = torch.from_numpy(np.ascontiguousarray(observation.image))[None].to(self._device)
        tokens = self._network.frame_tokens(self._network.early_features(image), condition)[0]
        for _ in range(1 if self._tokens else self._config.history):
            self._tokens.append(tokens)
            self._proprio.append(proprio.to(self._device))

    @torch.inference_mode()
    def _probabilities(self) -> NDArray[np.float64]:
        """(d, bins) of the newest frame; bins beyond a dimension's categories have none."""
        proprio = torch.stack(tuple(self._proprio))[None] if self._config.proprio else None
        logits = self._network.decode(torch.stack(tuple(self._tokens))[None], proprio)[0, -1]
        logits = logits.cpu().double().masked_fill(~self._valid, -math.inf)
        return np.asarray(logits.softmax(dim=-1).numpy())

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


def _checked_space(checkpoint: Checkpoint) -> ActionSpace:
    try:
        space = check_space(ActionSpace.from_dict(checkpoint.info.action_space))
    except ActionSpaceError as error:
        raise CheckpointError(f"the checkpoint's action space is not valid: {error}") from error
    network = checkpoint.info.network
    if (len(space.dimensions), space.bins) != (network.action_dims, network.bins):
        raise CheckpointError(
            f"action space {space.name} has {len(space.dimensions)} dimensions of {space.bins} bins; "
            f"the network has {network.action_dims} of {network.bins}"
        )
    return space


def find_checkpoint(name: str, robot: str) -> Path:
    """A folder, the name of a shipped checkpoint, or for an empty name the one shipped for `robot`.

    Raises CheckpointError that lists the shipped ones.
    """
    wanted = name or f"lite_{robot or 'fr3'}"
    for folder in (Path(wanted).expanduser(), SHIPPED / wanted):
        if (folder / CONFIG_FILE).is_file():
            return folder
    shipped = sorted(path.parent.name for path in SHIPPED.glob(f"*/{CONFIG_FILE}"))
    raise CheckpointError(
        f"no RT-1 checkpoint {wanted!r}: neither a folder with {CONFIG_FILE} nor a shipped one; "
        f"shipped are {', '.join(shipped) or 'none'}"
    )


def _chosen_device(device: str) -> str:
    """The device to compute on; auto: a GPU if there is one. Raises ConfigurationError with the valid ones."""
    valid = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    if device == "auto":
        return valid[-1]
    if device.split(":")[0] not in valid:
        raise ConfigurationError(f"device is {device!r}; valid here are {', '.join(valid)}, auto")
    return device


def create(config: PolicyConfig) -> RT1Policy:
    """Load, check and warm up. Raises CheckpointError (missing, damaged, other robot) and ConfigurationError."""
    device = _chosen_device(config.device)
    if config.threads > 0:
        torch.set_num_threads(config.threads)
    folder = find_checkpoint(config.checkpoint, config.robot)
    checkpoint = load_checkpoint(folder, robot=config.robot or None)
    encoder = InstructionEncoder(max_tokens=checkpoint.info.network.instruction_tokens)
    policy = RT1Policy(checkpoint, encoder, device, config.period_s, source=str(folder))
    policy.warm_up()
    return policy
