# SPDX-License-Identifier: Apache-2.0
"""The one thread that computes: what several robots sent meanwhile becomes one batch."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from vla_core.action import ActionChunk

from vla_policy.errors import PolicyError, UnavailableError
from vla_policy.policy import Observation, Policy, failure

RECENT_S = 1.0  # [s] a robot that was silent for longer is not waited for


@dataclass(frozen=True, slots=True)
class Made:
    """A chunk, how long [s] its observation waited and was computed, and how many observations were in its batch."""

    chunk: ActionChunk
    waited_s: float
    computed_s: float
    batch: int


@dataclass(slots=True, eq=False)
class Job:
    """One inference. task: the instruction to begin with first, None to continue."""

    session: Policy
    observation: Observation
    task: str | None = None
    result: Future[Made] = field(default_factory=Future)
    came: float = field(default_factory=time.monotonic)


class Batcher:
    """Runs jobs of several sessions of one policy. While a batch is computed, the next one gathers.

    A batch begins when every robot that was active within RECENT_S is in it, when it is full, or when its first
    observation has waited long enough.
    """

    def __init__(self, policy: Policy, max_batch: int = 16, max_wait_s: float = 0.002) -> None:
        """Start the thread. policy: computes the batches; max_wait_s: [s]."""
        self._policy, self._max_batch, self._max_wait_s = policy, max_batch, max_wait_s
        self._condition = threading.Condition()
        self._waiting: list[Job] = []
        self._active: dict[Policy, float] = {}
        self._running = True
        self._thread = threading.Thread(target=self._loop, name="inference", daemon=True)
        self._thread.start()

    def submit(self, job: Job) -> Future[Made]:
        """Return the future of a job; it fails with PolicyError, UnavailableError after `close`."""
        with self._condition:
            if not self._running:
                job.result.set_exception(UnavailableError("the server is shutting down"))
                return job.result
            self._waiting.append(job)
            self._active[job.session] = job.came
            self._condition.notify()
        return job.result

    def forget(self, session: Policy) -> None:
        """Wait no more for a session that ended."""
        with self._condition:
            self._active.pop(session, None)
            self._condition.notify()

    def close(self, timeout_s: float = 5.0) -> None:
        """Finish the batch in hand, refuse the others and end the thread."""
        with self._condition:
            self._running = False
            refused, self._waiting = self._waiting, []
            self._condition.notify()
        for job in refused:
            _fail(job, UnavailableError("the server is shutting down"))
        self._thread.join(timeout_s)

    def _loop(self) -> None:
        while batch := self._gather():
            begun = time.monotonic()
            outcomes = self._outcomes(batch)
            computed = time.monotonic() - begun
            for job, outcome in zip(batch, outcomes, strict=True):
                if isinstance(outcome, PolicyError):
                    _fail(job, outcome)
                elif job.result.set_running_or_notify_cancel():
                    job.result.set_result(Made(outcome, begun - job.came, computed, len(batch)))

    def _gather(self) -> list[Job]:
        """Return the next batch; empty at the end."""
        with self._condition:
            while self._running:
                if self._waiting and (wait := self._more_to_wait()) <= 0.0:
                    batch, self._waiting = self._waiting[: self._max_batch], self._waiting[self._max_batch :]
                    return batch
                self._condition.wait(wait if self._waiting else None)
        return []

    def _more_to_wait(self) -> float:
        """Return how long [s] to wait for more, 0 or less to begin."""
        now = time.monotonic()
        active = sum(now - last <= RECENT_S for last in self._active.values())
        if len(self._waiting) >= min(self._max_batch, active):
            return 0.0
        return self._waiting[0].came + self._max_wait_s - now

    def _outcomes(self, batch: Sequence[Job]) -> list[ActionChunk | PolicyError]:
        outcomes: dict[int, ActionChunk | PolicyError] = {}
        for i, job in enumerate(batch):
            if job.task is not None and (error := self._begun(job, job.task)):
                outcomes[i] = error
        rows = [i for i in range(len(batch)) if i not in outcomes]
        outcomes |= zip(rows, self._inferred([batch[i] for i in rows]), strict=True)
        return [outcomes[i] for i in range(len(batch))]

    def _begun(self, job: Job, task: str) -> PolicyError | None:
        """Begin a task; returns what prevents it."""
        try:
            job.session.reset(task)
        except PolicyError as error:
            return error
        except Exception as error:  # a policy is a plug-in: whatever it raises ends its task, never the server
            return failure(self._policy, error)
        return None

    def _inferred(self, jobs: Sequence[Job]) -> Sequence[ActionChunk | PolicyError]:
        if not jobs:
            return []
        try:
            return self._policy.infer_batch([job.session for job in jobs], [job.observation for job in jobs])
        except Exception as error:  # as in `_begun`; of several robots only the one at fault is to suffer
            if len(jobs) > 1:
                return [self._inferred([job])[0] for job in jobs]
            return [failure(self._policy, error)]


def _fail(job: Job, error: PolicyError) -> None:
    if job.result.set_running_or_notify_cancel():
        job.result.set_exception(error)
