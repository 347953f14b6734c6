# SPDX-License-Identifier: Apache-2.0
"""The thread that runs the policy, so that no message waits for a network."""

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from vla_policy.policy import ActionChunk, Observation, Policy
from vla_policy.runner import Job, PolicyRunner

MAX_WAIT_S = 0.1  # so that a clock which jumps is noticed


class InferenceWorker:
    """Runs the jobs of a PolicyRunner, one at a time.

    `clock` gives the time [s] that the runner is told; `send(job, chunk, inference_time)` is called under the lock, so
    that a stop which came before it is never followed by a chunk; `changed()` after every job.
    """

    def __init__(
        self, policy: Policy, runner: PolicyRunner[Observation], clock: Callable[[], float],
        send: Callable[[Job[Observation], ActionChunk, float], None], changed: Callable[[], None] = lambda: None,
    ) -> None:
        """Prepare; `start` begins."""
        self._policy, self._runner, self._clock, self._send, self._changed = policy, runner, clock, send, changed
        self._condition = threading.Condition(threading.RLock())
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
            self._condition.notify()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def locked(self) -> AbstractContextManager[object]:
        """Return the lock that every use of the runner needs."""
        return self._condition

    def notify(self) -> None:
        """Say, holding the lock, that the runner may have a job."""
        self._condition.notify()

    def _loop(self) -> None:
        while True:
            with self._condition:
                job = self._next()
            if job is None:
                return
            self._run(job)

    def _next(self) -> Job[Observation] | None:
        while self._running:
            now = self._clock()
            job = self._runner.next_job(now)
            if job is not None:
                return job
            # With nothing due only a message can change that; an instant of 0 means that an observation is awaited.
            self._condition.wait(min(self._runner.seconds_to_next(now) or MAX_WAIT_S, MAX_WAIT_S))
        return None

    def _run(self, job: Job[Observation]) -> None:
        started = time.monotonic()
        result: ActionChunk | Exception
        try:
            if job.reset:
                self._policy.reset(job.task.text)
            result = self._policy.infer(job.observation.value)
        except Exception as error:  # a policy is a plug-in: whatever it raises ends its task, never the node
            result = error
        duration = time.monotonic() - started
        with self._condition:
            if self._running and self._runner.finish(job, result, self._clock(), duration):
                self._send(job, result, duration)  # type: ignore[arg-type]
        self._changed()
