# SPDX-License-Identifier: Apache-2.0
"""What passes between the server and a replica, and how a replica continues a task that it has not begun. No Ray."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass

from vla_core.action import ActionChunk

from vla_policy.errors import PolicyError
from vla_policy.policy import Observation, Policy, failure
from vla_policy.serve.batcher import Made


@dataclass(frozen=True, slots=True)
class Turn:
    """One observation of one robot.

    number: of the observation within the task, from 0; past: the observations before it, oldest first, or None where
    the replica is expected to have them.
    """

    robot: str
    task: int  # grows with every beginning
    instruction: str
    number: int
    observation: Observation
    past: tuple[Observation, ...] | None = None


@dataclass(frozen=True, slots=True)
class PastNeeded:
    """The replica does not have the robot's past: the turn has to come again with it."""


Outcome = Made | PolicyError | PastNeeded


class Recollection:
    """The server's side: the recent past of one robot, from which turns are made."""

    def __init__(self, robot: str, length: int) -> None:
        """Remember the latest ``length`` observations of the task."""
        self._robot, self._past = robot, deque[Observation](maxlen=length)
        self._task = self._number = 0
        self._instruction = ""

    def begin(self, instruction: str) -> None:
        """Begin a task."""
        self._instruction, self._number = instruction, 0
        self._task += 1
        self._past.clear()

    def turn(self, observation: Observation, complete: bool) -> Turn:
        """Return the turn of an observation; ``complete``: with the past, for a replica that lacks it."""
        past = tuple(self._past) if complete else None
        return Turn(self._robot, self._task, self._instruction, self._number, observation, past)

    def done(self, observation: Observation) -> None:
        """Take note that a replica has seen the observation."""
        self._past.append(observation)
        self._number += 1


@dataclass(slots=True)
class _Session:
    policy: Policy
    task: int = 0
    number: int = 0  # of the observation that comes next


class ReplicaSessions:
    """The replica's side: sessions of one policy, which fall behind and are begun again from what a turn brings."""

    def __init__(self, policy: Policy, most: int) -> None:
        """Keep the sessions of the ``most`` robots that were served last."""
        self._policy, self._most = policy, most
        self._sessions: OrderedDict[str, _Session] = OrderedDict()

    def infer(self, turns: Sequence[Turn]) -> list[Outcome]:
        """Compute turns of different robots in one batch; each gets its own outcome."""
        came = time.monotonic()
        outcomes: dict[int, Outcome] = {}
        ready: dict[int, _Session] = {}
        for index, turn in enumerate(turns):
            found = self._session(turn)
            if isinstance(found, _Session):
                ready[index] = found
            else:
                outcomes[index] = found
        begun = time.monotonic()
        for index, made in zip(ready, self._batch(list(ready.values()), [turns[i] for i in ready]), strict=True):
            if isinstance(made, PolicyError):
                outcomes[index] = made
            else:
                outcomes[index] = Made(made, begun - came, time.monotonic() - begun, len(ready))
            ready[index].number = turns[index].number + 1
        return [outcomes[index] for index in range(len(turns))]

    def _session(self, turn: Turn) -> _Session | PolicyError | PastNeeded:
        session = self._sessions.get(turn.robot)
        if session is None:
            session = self._sessions[turn.robot] = _Session(self._policy.session())
        self._sessions.move_to_end(turn.robot)
        while len(self._sessions) > self._most:
            self._sessions.popitem(last=False)
        if (session.task, session.number) == (turn.task, turn.number):
            return session
        if turn.number > 0 and turn.past is None:
            return PastNeeded()
        return self._begin(session, turn) or session

    def _begin(self, session: _Session, turn: Turn) -> PolicyError | None:
        """Begin the turn's task and see what was before it; return what prevents that."""
        session.task, session.number = turn.task, turn.number
        try:
            session.policy.reset(turn.instruction)
            for seen in turn.past or ():
                self._policy.infer_batch([session.policy], [seen])
        except PolicyError as error:
            session.task = 0
            return error
        except Exception as error:  # a policy is a plug-in: whatever it raises ends its task, never the replica
            session.task = 0
            return failure(self._policy, error)
        return None

    def _batch(self, sessions: Sequence[_Session], turns: Sequence[Turn]) -> Sequence[ActionChunk | PolicyError]:
        if not sessions:
            return []
        try:
            return self._policy.infer_batch([each.policy for each in sessions], [turn.observation for turn in turns])
        except Exception as error:  # of several robots only the one at fault is to suffer
            if len(sessions) > 1:
                return [self._batch([one], [turn])[0] for one, turn in zip(sessions, turns, strict=True)]
            return [failure(self._policy, error)]
