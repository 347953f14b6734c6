# SPDX-License-Identifier: Apache-2.0
"""Which bins may come next: those of the dimension, and of these the ones whose motion stays within limits."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from vla_core.action import ActionMode, ActionValueError, DeltaReference

from vla_policy.action.motion_limits import MotionLimits
from vla_policy.action.space import ActionSpace, RotationFormat
from vla_policy.action.tokenizer import ActionTokenizer
from vla_policy.errors import ActionRefusedError, ConfigurationError
from vla_policy.policy import Observation

__all__ = ["LegalBins", "MotionLimits"]

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
TRANSLATION = ("x", "y", "z")
ROTATION = ("roll", "pitch", "yaw")
TOLERANCE = 1e-9  # [m] or [rad]: rounding of float64 makes no bin illegal


class LegalBins:
    """The legal bins of every dimension of one action space.

    Without limits: the bins or categories that the dimension has. With limits, for tool deltas: also narrowed, given
    the bins already chosen, so that no step is faster than the speeds allow and, where deltas count from the observed
    pose, so that the pose they lead to is inside the box. From outside the box only what does not lead further out is
    legal. Never empty: where nothing fits, the bins that do not move are legal.
    """

    def __init__(self, space: ActionSpace, limits: MotionLimits | None = None, period_s: float = 0.2) -> None:
        """period_s: time that one step takes [s]. Raises ConfigurationError when it is not above 0."""
        if not (np.isfinite(period_s) and period_s > 0.0):
            raise ConfigurationError(f"period_s is {period_s}; valid is a finite number above 0")
        self.space, self.limits = space, limits
        self.sizes = space.sizes
        self._names = space.names
        bins = np.arange(space.bins)
        self._own = bins[None] < np.array(self.sizes)[:, None]  # (d, bins)
        self._own.setflags(write=False)
        self._values = _decoded_values(space)  # (d, bins)
        self._period_s = period_s

    @property
    def narrows(self) -> bool:
        """Whether `legal` can depend on the bins already chosen or on the observation."""
        return self.limits is not None and self.space.mode is ActionMode.EE_DELTA

    def own(self, dimension: int) -> BoolArray:
        """(bins,) that the dimension has, whatever the limits are; read-only."""
        return np.asarray(self._own[dimension])

    def legal(
        self, dimension: int, chosen: Sequence[int] = (), observation: Observation | None = None
    ) -> BoolArray:  # (bins,)
        """The bins that may come at position `dimension`, after the bins `chosen` at the positions before it.

        Without an observation the box cannot narrow, the speeds do. Raises ActionValueError when `dimension` does not
        exist or `chosen` does not fit it, ActionRefusedError where nothing fits and no bin is rest, as in a range
        without zero.
        """
        self._check(dimension, chosen)
        own, name = self.own(dimension), self._names[dimension]
        if self.limits is None or not self.narrows or name not in TRANSLATION + ROTATION:
            return own
        legal = own & self._slow_enough(dimension, chosen)
        if name in TRANSLATION and observation is not None and self.space.delta_reference is DeltaReference.OBSERVED:
            axis = TRANSLATION.index(name)
            legal &= _stays_inside(
                self._values[dimension],
                float(observation.ee_position[axis]),
                self.limits.workspace_low[axis],
                self.limits.workspace_high[axis],
            )
        return legal if legal.any() else self._rest(dimension)

    def _check(self, dimension: int, chosen: Sequence[int]) -> None:
        if not 0 <= dimension < len(self.sizes):
            raise ActionValueError(f"dimension {dimension} does not exist; valid are 0 to {len(self.sizes) - 1}")
        before = self.sizes[:dimension]
        if len(chosen) != dimension or any(not 0 <= bin_ < size for bin_, size in zip(chosen, before, strict=True)):
            raise ActionValueError(
                f"bins chosen before {self._names[dimension]} are {list(chosen)}; valid are {dimension} bins, each "
                f"below its dimension's size {before}"
            )

    def _slow_enough(self, dimension: int, chosen: Sequence[int]) -> BoolArray:
        """(bins,) that keep the whole step, with what was chosen and no motion in what comes later, under the speed."""
        assert self.limits is not None
        group = TRANSLATION if self._names[dimension] in TRANSLATION else ROTATION
        speed = self.limits.linear_speed if group is TRANSLATION else self.limits.angular_speed
        candidates = np.zeros((self.space.bins, 3))
        for axis, name in enumerate(group):
            index = self._names.index(name) if name in self._names else len(self._names)
            if index < dimension:
                candidates[:, axis] = self._values[index, chosen[index]]
            elif index == dimension:
                candidates[:, axis] = self._values[index]
        size = _measure(group, self.space.rotation)(candidates)
        return np.asarray(size <= speed * self._period_s + TOLERANCE)

    def _rest(self, dimension: int) -> BoolArray:
        still = self.own(dimension) & (np.abs(self._values[dimension]) <= TOLERANCE)
        if not still.any():
            named = self.space.dimensions[dimension]
            raise ActionRefusedError(
                f"every {named.name} from {named.low} to {named.high} {named.unit} leaves the workspace or is too fast "
                "and none is rest; valid with narrow:=true is a range that holds 0"
            )
        return np.asarray(still)


def _decoded_values(space: ActionSpace) -> FloatArray:
    """(d, bins) [unit of the dimension]: the value sent to the robot for each bin, zero for half a bin."""
    tokenizer = ActionTokenizer(space)
    tokens = np.minimum(np.arange(space.bins)[:, None], np.array(space.sizes) - 1)  # (bins, d)
    return tokenizer.rest(tokenizer.decode(tokens)).T


def _stays_inside(deltas: FloatArray, position: float, low: float, high: float) -> BoolArray:
    """(bins,) of deltas [m] from `position` [m] that end between low and high, or at least not further outside."""
    target = position + deltas
    return np.asarray((target >= min(low, position) - TOLERANCE) & (target <= max(high, position) + TOLERANCE))


def _measure(group: tuple[str, ...], rotation: RotationFormat) -> Callable[[FloatArray], FloatArray]:
    """What gives the length [m] or the angle [rad] of (n, 3) motions."""
    return _rpy_angle if group is ROTATION and rotation is RotationFormat.RPY else _length


def _length(vectors: FloatArray) -> FloatArray:
    return np.asarray(np.linalg.norm(vectors, axis=1))


def _rpy_angle(angles: FloatArray) -> FloatArray:
    """Angle [rad] of Rz(yaw) Ry(pitch) Rx(roll) for (n, 3) roll, pitch, yaw: from the scalar part of its quaternion."""
    scalar = np.cos(angles / 2).prod(axis=1) + np.sin(angles / 2).prod(axis=1)
    return np.asarray(2.0 * np.arccos(np.clip(np.abs(scalar), 0.0, 1.0)))
