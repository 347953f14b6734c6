# SPDX-License-Identifier: Apache-2.0
"""The thread that runs the policy, so that no message waits for a network."""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Generic, Protocol, TypeVar

from vla_core.action import ActionChunk

from vla_policy.errors import ActionRefusedError, InstructionError, ObservationError, UnavailableError
from vla_policy.policy import Answer, Observation, Policy
from vla_policy.run.questions import Question, QuestionQueue
from vla_policy.run.runner import PolicyRunner
from vla_policy.run.state import Job


class HasObservation(Protocol):
    """Whatever the caller keeps beside an observation."""

    @property
    def observation(self) -> Observation:
        """What the policy sees."""


SeenT = TypeVar("SeenT", bound=HasObservation)
MessageT = TypeVar("MessageT")
LOG = logging.getLogger(__name__)
EXPECTED = (ActionRefusedError, InstructionError, ObservationError, UnavailableError)  # need no traceback
MAX_WAIT_S = 0.1  # [s] interval at which a step of the clock is noticed


class InferenceWorker(Generic[SeenT, MessageT]):
    """Runs the jobs of a PolicyRunner, one at a time, and answers questions between two of them.

    `clock` gives the time [s] that the runner gets; `prepare(job, chunk, inference_time)` makes what is sent and may
    raise PolicyError; `send` gets it under the lock, so that a stop which came before is never followed by a chunk;
    `changed()` is called after every job.
    """

    def __init__(
        self,
        policy: Policy,
        runner: PolicyRunner[SeenT],
        clock: Callable[[], float],
        prepare: Callable[[Job[SeenT], ActionChunk, float], MessageT],
        send: Callable[[MessageT], None],
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        """Prepare; `start` begins."""
        self._policy, self._runner, self._clock = policy, runner, clock
        self._prepare, self._send, self._changed = prepare, send, changed
        self._condition = threading.Condition(threading.RLock())
        self._questions = QuestionQueue()
        self._answered_last = False  # then an inference that is due comes before the next question
        self._running = False
        self._thread = threading.Thread(target=self._loop, name="inference", daemon=True)

    def start(self) -> None:
        """Begin to run jobs."""
        self._running = True
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Finish the job in hand and end the thread; waits at most `timeout_s`."""
        with self._condition:
            self._running = False
            self._questions.refuse_all("the policy is shutting down")
            self._condition.notify()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def ask(self, question: str) -> Future[Answer]:
        """Ask about the latest observation. The future fails with PolicyError, or whatever the policy raises.

        Cancelling it before its turn withdraws the question.
        """
        with self._condition:
            answer = self._questions.add(question)
            if not self._running:
                self._questions.refuse_all("the policy is shutting down")
            self._condition.notify()
        return answer

    @property
    def alive(self) -> bool:
        """Whether the thread still runs."""
        return self._thread.is_alive()

    def locked(self) -> AbstractContextManager[object]:
        """Return the lock that every use of the runner needs."""
        return self._condition

    def notify(self) -> None:
        """Say, holding the lock, that the runner may have a job."""
        self._condition.notify()

    def _loop(self) -> None:
        while True:
            with self._condition:
                work = self._next()
            if work is None:
                return
            if isinstance(work, Question):
                self._answer(work)
            else:
                self._run(work)

    def _next(self) -> Job[SeenT] | Question | None:
        while self._running:
            now = self._clock()
            question = None if self._answered_last else self._questions.take()
            work = question or self._runner.next_job(now) or self._questions.take()
            if work is not None:
                self._answered_last = isinstance(work, Question)
                return work
            # With nothing due only a message can change that; an instant of 0 means that an observation is awaited.
            self._condition.wait(min(self._runner.seconds_to_next(now) or MAX_WAIT_S, MAX_WAIT_S))
        return None

    def _run(self, job: Job[SeenT]) -> None:
        started = time.monotonic()
        result: ActionChunk | Exception
        message: MessageT | None = None
        try:
            if job.reset:
                self._policy.reset(job.task.text)
            result = self._policy.infer(replace(job.observation.value.observation, ahead=job.ahead))
            duration = time.monotonic() - started
            message = self._prepare(job, result, duration)
        except Exception as error:  # a policy is a plug-in: whatever it raises ends its task, never the node
            result, duration = error, time.monotonic() - started
            if not isinstance(error, EXPECTED):
                LOG.exception("policy %s failed", self._policy.name)
        with self._condition:
            if self._running and self._runner.finish(job, result, self._clock(), duration) and message is not None:
                self._send(message)
        self._changed()

    def _answer(self, question: Question) -> None:
        try:
            with self._condition:
                seen = self._runner.latest(self._clock())
            answer = self._policy.ask(seen.observation, question.text)
            if not answer.text.strip():
                raise InstructionError(f"policy {self._policy.name} answered nothing")
        except Exception as error:  # as in `_run`
            question.answer.set_exception(error)
        else:
            question.answer.set_result(answer)
