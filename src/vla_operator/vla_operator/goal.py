# SPDX-License-Identifier: Apache-2.0
"""How a goal of the action ExecuteInstruction ends, as pure functions."""

from dataclasses import dataclass
from enum import IntEnum


class Code(IntEnum):
    """The values of vla_msgs/ExecuteInstruction.Result."""

    UNKNOWN = 0
    FINISHED = 1
    TIMEOUT = 2
    CANCELLED = 3
    SUPERSEDED = 4
    STOPPED = 5
    REJECTED = 6
    FAILED = 7
    NO_POLICY = 8


class PolicyState(IntEnum):
    """The values of vla_msgs/PolicyStatus.STATE_*."""

    IDLE = 0
    RUNNING = 1
    WAITING = 2
    DONE = 3
    STOPPED = 4
    ERROR = 5


@dataclass(frozen=True, slots=True)
class PolicyReport:
    """What policy_node reports. chunks: sent for the instruction."""

    instruction_id: str
    sequence: int
    state: PolicyState
    reason: str
    chunks: int


@dataclass(frozen=True, slots=True)
class Given:
    """The latest instruction that was given."""

    id: str
    sequence: int
    stop: bool


@dataclass(frozen=True, slots=True)
class Moment:
    """What happened to a goal besides. silence: since the policy's last report, or since the goal began [s]."""

    cancelled: bool
    timed_out: bool
    silence: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a goal ended. stop: the robot still works on it and must be halted."""

    code: Code
    text: str
    stop: bool = False


def goal_outcome(
    mine: Given, latest: Given, report: PolicyReport | None, moment: Moment, policy_timeout: float
) -> Outcome | None:
    """Return how the goal of the instruction `mine` has ended, or None while it runs.

    Args:
        mine: the goal's own instruction.
        latest: the latest instruction given by anybody.
        report: the policy's latest, None before the first.
        moment: what happened besides.
        policy_timeout: silence of the policy [s] after which the goal fails.
    """
    if latest.id != mine.id or (report is not None and report.sequence > mine.sequence):
        return _replaced(latest.stop and latest.id != mine.id, moment.cancelled)
    served = report is not None and report.instruction_id == mine.id
    if report is not None and served:
        ended = _ended(report)
        if ended is not None:
            return ended
    if moment.cancelled:
        return Outcome(Code.CANCELLED, "cancelled by the client", stop=True)
    if moment.timed_out:
        return Outcome(Code.TIMEOUT, "not finished within the goal's timeout", stop=True)
    if moment.silence > policy_timeout:
        did = "fell silent" if served else "has not taken the instruction"
        return Outcome(Code.NO_POLICY, f"the policy {did} for {moment.silence:.1f} s", stop=True)
    return None


def _replaced(by_stop: bool, cancelled: bool) -> Outcome:
    if cancelled:
        return Outcome(Code.CANCELLED, "cancelled by the client; a newer instruction had taken over")
    if by_stop:
        return Outcome(Code.STOPPED, "halted by a stop")
    return Outcome(Code.SUPERSEDED, "a newer instruction took over")


def _ended(report: PolicyReport) -> Outcome | None:
    if report.state is PolicyState.DONE:
        return Outcome(Code.FINISHED, "the policy ended its task")
    if report.state is PolicyState.ERROR:
        code = Code.REJECTED if report.chunks == 0 else Code.FAILED
        return Outcome(code, report.reason or "the policy gives no reason")
    return None
