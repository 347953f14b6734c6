# SPDX-License-Identifier: Apache-2.0
"""Where a goal stands: what GoalStatus and the action's result say, without ROS."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import IntEnum

from vla_planner.planner import Verdict
from vla_planner.vocabulary import Step


class GoalState(IntEnum):
    """The values of vla_msgs/GoalStatus.STATE_*."""

    IDLE = 0
    PLANNING = 1
    EXECUTING = 2
    CHECKING = 3
    ASKING = 4
    FINISHED = 5


class GoalCode(IntEnum):
    """The values of vla_msgs/ExecuteGoal.Result."""

    UNKNOWN = 0
    FINISHED = 1
    TIMEOUT = 2
    CANCELLED = 3
    SUPERSEDED = 4
    STOPPED = 5
    REJECTED = 6
    FAILED = 7
    NO_PLANNER = 8
    NO_POLICY = 9


class StepState(IntEnum):
    """The values of vla_msgs/GoalStep.STATE_*."""

    PLANNED = 0
    ACTIVE = 1
    DONE = 2
    FAILED = 3
    DROPPED = 4


class StepEnd(IntEnum):
    """How the policy ended a step: the values of vla_msgs/ExecuteInstruction.Result, and what the executive adds."""

    UNKNOWN = 0
    FINISHED = 1
    TIMEOUT = 2
    CANCELLED = 3
    SUPERSEDED = 4
    STOPPED = 5
    REJECTED = 6
    FAILED = 7
    NO_POLICY = 8
    SEEN_DONE = 100  # it looked done for settle_time, and the policy was halted
    INTERRUPTED = 101  # a correction came


@dataclass(slots=True)
class StepRecord:
    """One step that was begun."""

    step: Step
    attempt: int = 1
    state: StepState = StepState.ACTIVE
    end: StepEnd = StepEnd.UNKNOWN
    verdict: Verdict | None = None


@dataclass(slots=True)
class GoalReport:
    """All that is known about the goal at hand. decision_time: [s] of the mind's latest decision."""

    goal: str = ""
    state: GoalState = GoalState.IDLE
    begun: list[StepRecord] = field(default_factory=list)
    plan: tuple[Step, ...] = ()  # what is left, the active step first
    question: str = ""
    say: str = ""
    code: GoalCode = GoalCode.UNKNOWN
    text: str = ""
    replans: int = 0
    decision_time: float = math.nan
    decisions: int = 0

    @property
    def active(self) -> StepRecord | None:
        """The step that the policy works on, or that is being checked."""
        last = self.begun[-1] if self.begun else None
        return last if last is not None and last.state is StepState.ACTIVE else None
