# SPDX-License-Identifier: Apache-2.0
"""What RT-1 keeps of one robot's task: the encoded instruction, the tokens of earlier frames, the last commands."""

from __future__ import annotations

import math
from collections import deque

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from vla_core.observation_map.observation_map import ObservationMap

from vla_policy.errors import InstructionError
from vla_policy.policy import Observation
from vla_policy.rt1.config import RT1Config
from vla_policy.rt1.proprio import initial_gripper_command, proprio_vector

MAX_GAP_STEPS = 5  # a pause of more periods than this makes the history worthless


class History:
    """One robot's task; empty until `begin`."""

    def __init__(
        self, config: RT1Config, period_s: float, max_width: float, observation_map: ObservationMap | None = None
    ) -> None:
        """config: how many frames the network reads, and how an episode begins; max_width: of the open gripper [m];
        observation_map: whose state the network reads, None for the channels of `proprio`.
        """
        self._config, self._period_s, self._max_width = config, period_s, max_width
        self._map = observation_map
        self._condition: Tensor | None = None
        self._tokens: deque[Tensor] = deque(maxlen=config.history)  # each (tokens, d_model)
        self._proprio: deque[Tensor] = deque(maxlen=config.history)  # each (p,)
        self._last_gripper = self._last_stamp = math.nan

    def fresh(self) -> History:
        """Return an empty one of the same kind."""
        return History(self._config, self._period_s, self._max_width, self._map)

    def begin(self, condition: Tensor | None) -> None:
        """Forget everything and begin a task under this conditioning vector (1, instruction_dim); None: under none."""
        self._condition = condition
        self._forget()
        self._last_gripper = math.nan

    @property
    def condition(self) -> Tensor:
        """The conditioning vector (1, instruction_dim). Raises InstructionError before a task began."""
        if self._condition is None:
            raise InstructionError("no instruction was given: call reset first")
        return self._condition

    def proprio(self, names: tuple[str, ...], observation: Observation) -> NDArray[np.float32]:
        """Return the channels (p,) at this observation. Raises ObservationError when one is unknown to the robot."""
        if math.isnan(self._last_gripper):
            self._last_gripper = initial_gripper_command(observation.gripper_width, self._max_width)
        return proprio_vector(names, observation, self._last_gripper, self._map)

    def add(self, stamp: float, tokens: Tensor, proprio: Tensor) -> None:
        """Add a frame captured at `stamp` [s]: tokens (n, d), proprio (p,); the first may fill the history."""
        if not 0.0 <= stamp - self._last_stamp <= MAX_GAP_STEPS * self._period_s:
            self._forget()
        self._last_stamp = stamp
        for _ in range(1 if self._tokens or not self._config.fill_history else self._config.history):
            self._tokens.append(tokens)
            self._proprio.append(proprio)

    def commanded(self, gripper: float) -> None:
        """Remember the opening that was commanded, 0 closed to 1 open; NaN commands nothing."""
        if not math.isnan(gripper):
            self._last_gripper = gripper

    def context(self) -> tuple[Tensor, Tensor]:
        """Return tokens (frames, n, d_model) and proprio (frames, p), oldest first."""
        return torch.stack(tuple(self._tokens)), torch.stack(tuple(self._proprio))

    def _forget(self) -> None:
        self._tokens.clear()
        self._proprio.clear()
        self._last_stamp = math.nan
