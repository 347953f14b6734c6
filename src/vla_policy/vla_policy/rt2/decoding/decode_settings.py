# SPDX-License-Identifier: Apache-2.0
"""What a decoder of actions can be asked to do, needs and gives."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from vla_policy.action.space import ActionSpace
from vla_policy.errors import ConfigurationError
from vla_policy.rt2.decoding.constraint import LegalBins
from vla_policy.rt2.vocabulary import ActionVocabulary

_E = TypeVar("_E", bound=StrEnum)


class Mode(StrEnum):
    """How one action is chosen among the legal ones.

    GREEDY: the most probable bin at each position. MEDIAN: the bin with half of the probability on either side: where a
    model is sure of the way and not of its length, the most probable single bin can be one that it believes little in.
    SAMPLE: drawn by probability. BEAM: the most probable whole action of those that `beams` hypotheses reach.
    """

    GREEDY = "greedy"
    MEDIAN = "median"
    SAMPLE = "sample"
    BEAM = "beam"


class Mass(StrEnum):
    """At which positions the probability that the model says a bin of the dimension at all is measured."""

    FIRST = "first"
    ALL = "all"
    NONE = "none"


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """One action.

    probabilities: of each chosen bin among the legal ones, at temperature 1; legal_mass: of the dimension's own bins
    among the whole vocabulary, before limits narrow them; NaN where it was not measured.
    """

    tokens: NDArray[np.uint16]  # (d,)
    probabilities: NDArray[np.float32]  # (d,)
    legal_mass: NDArray[np.float32]  # (d,)


class HasModel(Protocol):
    """What a decoder needs of a back end."""

    @property
    def model(self) -> Any:
        """An image-text-to-text model of transformers."""


class ActionInfo(Protocol):
    """What a decoder needs to know of a checkpoint."""

    @property
    def action_space(self) -> ActionSpace:
        """The dimensions in token order."""

    @property
    def vocabulary(self) -> ActionVocabulary:
        """The token of each bin."""


def checked(legal: LegalBins, info: ActionInfo) -> LegalBins:
    """Return the legal bins. Raises ConfigurationError where the parts do not belong together."""
    if legal.space != info.action_space:
        raise ConfigurationError(f"legal bins are of {legal.space.name}; valid is the space {info.action_space.name}")
    if len(info.vocabulary.ids) < legal.space.bins:
        raise ConfigurationError(
            f"the vocabulary has {len(info.vocabulary.ids)} action tokens; valid are {legal.space.bins} or more"
        )
    return legal


def median_bin(logits: Tensor) -> Tensor:
    """Logits (r, bins), -inf for what is not legal, to the bin (r,) with half of the probability on either side."""
    below = (logits.softmax(dim=1).cumsum(dim=1) < 0.5).sum(dim=1)
    return below.clamp(max=logits.shape[1] - 1)


def member(kind: type[_E], name: str, value: str) -> _E:
    """Return the member of a setting. Raises ConfigurationError that lists the valid ones."""
    try:
        return kind(value)
    except ValueError as error:
        raise ConfigurationError(f"{name} is {value!r}; valid are {', '.join(kind)}") from error
