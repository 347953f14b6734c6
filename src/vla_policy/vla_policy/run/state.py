# SPDX-License-Identifier: Apache-2.0
"""The runner's input and reports, as frozen data."""

import math
from dataclasses import dataclass
from enum import IntEnum
from typing import Generic, TypeVar

from vla_policy.ahead import Ahead

ObservationT = TypeVar("ObservationT")


class State(IntEnum):
    """The values are those of vla_msgs/PolicyStatus."""

    IDLE = 0
    RUNNING = 1
    WAITING = 2
    DONE = 3
    STOPPED = 4
    ERROR = 5


ACTIVE = (State.RUNNING, State.WAITING)


@dataclass(frozen=True, slots=True)
class Task:
    """An instruction as the runner sees it.

    stamp: when it was given [s]; stop: halt instead of a task; sequence: its place in the order of instructions.
    """

    id: str
    text: str
    stamp: float
    stop: bool = False
    sequence: int = 0


@dataclass(frozen=True, slots=True)
class Stamped(Generic[ObservationT]):
    """Anything with the time it was captured [s]."""

    stamp: float
    value: ObservationT


@dataclass(frozen=True, slots=True)
class Job(Generic[ObservationT]):
    """One inference to run; `reset` says that the policy must be reset to the task's text first."""

    generation: int
    task: Task
    reset: bool
    observation: Stamped[ObservationT]
    ahead: Ahead | None = None  # what is left of the chunk before


@dataclass(frozen=True, slots=True)
class Status:
    """A snapshot, field by field as in vla_msgs/PolicyStatus; times in [s], rate in [Hz]."""

    state: State
    reason: str
    task: Task | None
    rate: float
    inference_time: float
    observation_age: float
    token_confidence: float
    chunks: int
    task_chunks: int
    observations_skipped: int
    legal_mass: float = math.nan
    actions_refused: int = 0
    instruction_sequence: int = 0
