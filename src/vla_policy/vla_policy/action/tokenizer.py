# SPDX-License-Identifier: Apache-2.0
"""Actions to tokens and back, vectorised over any leading axes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from vla_core.action import ActionValueError

from vla_policy.action.space import ActionSpace, Rounding

# A value this close [bins] below a grid point belongs to it: it undoes float32 noise, so that a decoded value always
# encodes to the token it came from.
GRID_TOLERANCE = 1e-4
OPENVLA_VOCABULARY = 32000


@dataclass(frozen=True, slots=True)
class EncodedAction:
    """Tokens, and where a value lay outside its range and was clipped to it; both of the action's shape."""

    tokens: NDArray[np.uint16]  # (..., d)
    clipped: NDArray[np.bool_]  # (..., d)


class ActionTokenizer:
    """Encodes and decodes actions of one space. Stateless and cheap to make."""

    def __init__(self, space: ActionSpace) -> None:
        """Precompute the ranges of `space`."""
        self.space = space
        self._low = np.array([d.low for d in space.dimensions])  # (d,)
        self._span = np.array([d.high - d.low for d in space.dimensions])  # (d,)
        self._discrete = np.array([d.discrete for d in space.dimensions])  # (d,)
        self._sizes = np.array(space.sizes)  # (d,)

    @property
    def worst_error(self) -> NDArray[np.float64]:
        """Largest distance between an in-range value and its decoded token, in each dimension's unit; (d,)."""
        bins_error = 1.0 if self.space.rounding is Rounding.TRUNCATE else 0.5
        return np.where(self._discrete, 0.0, bins_error * self._span / (self.space.bins - 1))

    def encode(self, action: ArrayLike) -> EncodedAction:
        """Return the tokens of an action (..., d) in each dimension's unit.

        Values outside the range are clipped and flagged. Raises ActionValueError for a wrong last axis, for NaN or
        infinity, and for a discrete value that is not whole.
        """
        values = self._checked(np.asarray(action, dtype=np.float64))
        position = (values - self._low) / self._span  # (..., d), 0 to 1 inside the range
        tolerance = GRID_TOLERANCE / (self.space.bins - 1)
        clipped = (position < -tolerance) | (position > 1.0 + tolerance)
        scaled = np.clip(position, 0.0, 1.0) * (self._sizes - 1)
        continuous = {
            Rounding.NEAREST: np.rint(scaled),
            Rounding.TRUNCATE: np.floor(scaled + GRID_TOLERANCE),
            Rounding.CENTRES: np.floor(scaled),  # decoded values lie in the middle of a bin: no tolerance needed
        }[self.space.rounding]
        tokens = np.where(self._discrete, np.rint(scaled), continuous)
        return EncodedAction(tokens.astype(np.uint16), clipped)

    def decode(self, tokens: ArrayLike) -> NDArray[np.float64]:
        """Return the action (..., d) of tokens (..., d). Raises ActionValueError for a token that does not exist."""
        array = np.asarray(tokens)
        self._check_shape(array.shape, "tokens")
        if not np.issubdtype(array.dtype, np.integer):
            raise ActionValueError(f"tokens are {array.dtype}; valid are whole numbers")
        wrong = (array < 0) | (array >= self._sizes)
        if wrong.any():
            raise ActionValueError(
                f"tokens {array[wrong].tolist()[:8]} of {self._named(wrong)} do not exist; "
                f"valid are 0 to size - 1, with sizes {self.space.sizes} of {self.space.names}"
            )
        offset = np.where(self._discrete, 0.0, 0.5 if self.space.rounding is Rounding.CENTRES else 0.0)
        last = self._sizes - 1 - np.where(offset > 0, 1, 0)  # only 255 centres between 256 edges
        fraction = (np.minimum(array, last) + offset) / (self._sizes - 1)
        return np.asarray(self._low + fraction * self._span)

    def rest(self, action: ArrayLike) -> NDArray[np.float64]:
        """Return a decoded action (..., d) with what lies within half a bin of zero set to zero.

        A range that is symmetrical about zero has no bin at zero when the number of bins is even. Half a bin in every
        step is no motion that the model means, but it adds up: at 256 bins of +-pi/8 a tool turns 0.5 rad a minute.
        """
        values = np.array(action, dtype=np.float64)
        half_bin = 0.5 * self._span / (self.space.bins - 1) * (1.0 + GRID_TOLERANCE)
        signed = ~self._discrete & (self._low < 0.0) & (self._low + self._span > 0.0)
        values[signed & (np.abs(values) <= half_bin)] = 0.0
        return values

    def _named(self, flags: NDArray[np.bool_]) -> str:
        """Return the names of the dimensions where a flag (..., d) is set anywhere."""
        columns = flags.reshape(-1, len(self._low))
        return ", ".join(name for i, name in enumerate(self.space.names) if columns[:, i].any())

    def _check_shape(self, shape: tuple[int, ...], what: str) -> None:
        if not shape or shape[-1] != len(self._low):
            raise ActionValueError(
                f"{what} have shape {shape}; valid is (..., {len(self._low)}) in the order "
                f"{', '.join(self.space.names)}"
            )

    def _checked(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        self._check_shape(values.shape, "actions")
        if not np.isfinite(values).all():
            raise ActionValueError(
                f"actions are not finite in {self._named(~np.isfinite(values))}; valid are finite numbers"
            )
        categories = values[..., self._discrete]
        if (categories != np.rint(categories)).any():
            raise ActionValueError(f"a discrete dimension has value {categories.tolist()}; valid are whole numbers")
        return values


def openvla_ids(tokens: ArrayLike, vocabulary: int = OPENVLA_VOCABULARY) -> NDArray[np.int64]:
    """Return language-model token ids of bin tokens 0..255: the last ids of the vocabulary, counted backwards."""
    return vocabulary - 1 - np.asarray(tokens, dtype=np.int64)


def openvla_tokens(
    ids: ArrayLike,
    bins: int = 256,
    vocabulary: int = OPENVLA_VOCABULARY,
) -> NDArray[np.uint16]:
    """Return bin tokens of language-model ids.

    Raises ActionValueError for an id that is no action token: clipped into the range, as OpenVLA's own decoder
    does, a stray word would become an extreme action.
    """
    tokens = vocabulary - 1 - np.asarray(ids, dtype=np.int64)
    if ((tokens < 0) | (tokens >= bins)).any():
        raise ActionValueError(
            f"token ids are {np.asarray(ids).tolist()}; valid action tokens are {vocabulary - bins} to {vocabulary - 1}"
        )
    return tokens.astype(np.uint16)
