# SPDX-License-Identifier: Apache-2.0
"""What the demo hears from the graph, as plain data. Every stamp is in seconds of the ROS (wall) clock."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Stamped(Protocol):
    """Anything with a time."""

    @property
    def stamp(self) -> float:
        """Time [s]."""


S = TypeVar("S", bound=Stamped)


@dataclass(frozen=True, slots=True)
class ControllerSample:
    """One tick of the controller: joints [rad], gripper opening 0..1, times in [s]. NaN where unknown."""

    stamp: float
    state: str
    reference: Array  # (n,)
    setpoint: Array  # (n,)
    measured: Array  # (n,)
    gripper: float
    tick_period: float
    stamp_to_setpoint: float
    chunk_sequence: int
    instruction_id: str
    refusals: int


@dataclass(frozen=True, slots=True)
class ChunkSample:
    """One action chunk as it arrived, by its first step. Without tokens, tokens and probabilities are empty."""

    stamp: float  # when it arrived
    observation_stamp: float
    sequence: int
    instruction_id: str
    dimension_names: tuple[str, ...]
    tokens: tuple[int, ...]  # 0..255, one per dimension
    probabilities: tuple[float, ...]  # 0..1, one per dimension
    inference_time: float  # [s]
    translation: tuple[float, float, float] = (0.0, 0.0, 0.0)  # [m]
    rotation: tuple[float, float, float] = (0.0, 0.0, 0.0)  # rotation vector [rad]
    gripper: float = float("nan")  # opening 0..1


@dataclass(frozen=True, slots=True)
class PolicySample:
    """The policy node's own account: rate [Hz], times [s], confidence and legal mass 0..1 (NaN without)."""

    stamp: float
    state: str
    instruction: str
    rate: float
    inference_time: float
    observation_age: float
    confidence: float
    reason: str
    legal_mass: float = float("nan")


@dataclass(frozen=True, slots=True)
class TaskSample:
    """The simulator's judgement, on physics."""

    stamp: float
    instruction: str
    family: str
    success: bool
    real_time_factor: float


@dataclass(frozen=True, slots=True)
class Frame:
    """One camera picture, JPEG."""

    stamp: float
    jpeg: bytes


@dataclass(frozen=True, slots=True)
class Episode:
    """One instruction and what came of it. `start` [s] is when it was given, `end` when judged or given up.

    `replaced` is the instruction that it replaced mid-run, given at `replaced_start`; empty and NaN otherwise.
    """

    instruction: str
    family: str
    seed: int
    success: bool
    start: float
    end: float
    replaced: str = ""
    replaced_start: float = float("nan")
    note: str = ""

    @property
    def seconds(self) -> float:
        """From the instruction to its success, or to giving up [s]."""
        return self.end - self.start

    @property
    def first_start(self) -> float:
        """When the arm was first told something in this episode [s]."""
        return self.replaced_start if self.replaced else self.start


@dataclass(slots=True)
class Recording:
    """All that was heard, in the order of arrival."""

    joint_names: tuple[str, ...] = ()
    controller: list[ControllerSample] = field(default_factory=list)
    chunks: list[ChunkSample] = field(default_factory=list)
    policy: list[PolicySample] = field(default_factory=list)
    task: list[TaskSample] = field(default_factory=list)
    viewer: list[Frame] = field(default_factory=list)
    policy_view: list[Frame] = field(default_factory=list)
    episodes: list[Episode] = field(default_factory=list)

    def spans(self) -> list[tuple[float, float]]:
        """(start, end) [s] of the times in which the arm was at work."""
        return [(episode.first_start, episode.end) for episode in self.episodes]


def latest(samples: Sequence[S], time: float) -> S | None:
    """The last of `samples` (in order of time) that is not after `time` [s]; None when there is none."""
    index = bisect_right(samples, time, key=lambda sample: sample.stamp)
    return samples[index - 1] if index else None


def between(samples: Sequence[S], start: float, end: float) -> Sequence[S]:
    """Those of `samples` (in order of time) with start <= stamp <= end [s]."""
    low = bisect_right(samples, start - 1e-9, key=lambda sample: sample.stamp)
    return samples[low : bisect_right(samples, end, key=lambda sample: sample.stamp)]


def within(samples: Sequence[S], spans: Sequence[tuple[float, float]]) -> Iterator[S]:
    """Those of `samples` that lie in any of the disjoint `spans` [s]."""
    for start, end in spans:
        yield from between(samples, start, end)
