# SPDX-License-Identifier: Apache-2.0
"""A policy under the policy node's own state machine, in simulated time."""

from __future__ import annotations

from dataclasses import replace

from vla_core.action import ActionChunk
from vla_policy.loading import load_policy
from vla_policy.policy import Observation, Policy
from vla_policy.run.runner import PolicyRunner
from vla_policy.run.state import Stamped, State, Status, Task
from vla_policy.settings import Settings

OVER = (State.DONE, State.STOPPED, State.ERROR)


class PolicyDriver:
    """Decides, as policy_node does, when the policy infers, and what becomes of its chunks and of its errors."""

    def __init__(self, settings: Settings, policy: Policy | None = None) -> None:
        """Load the policy of these settings, unless `policy` is given. Raises PolicyError."""
        self.policy: Policy = policy or load_policy(settings)
        self._settings = settings
        self._runner: PolicyRunner[Observation] = PolicyRunner(settings)
        self._now = 0.0

    def begin(self, instruction_id: str, text: str, now: float) -> None:
        """Give a new instruction at `now` [s]; what an earlier episode left is forgotten."""
        self._runner = PolicyRunner(self._settings)
        self._now = now
        self._runner.on_instruction(Task(instruction_id, text, now, sequence=1), now)

    def act(self, observation: Observation, now: float, inference_time: float) -> ActionChunk | None:
        """Return the chunk that policy_node would send for an observation; None where it sends nothing.

        Args:
            observation: captured at `now` [s].
            now: time at which the inference begins [s].
            inference_time: simulated duration of the inference [s].
        """
        self._now = now
        self._runner.on_observation(Stamped(observation.stamp, observation))
        job = self._runner.next_job(now)
        if job is None:
            return None
        result: ActionChunk | Exception
        try:
            if job.reset:
                self.policy.reset(job.task.text)
            result = self.policy.infer(replace(observation, ahead=job.ahead)).checked()
        except Exception as error:  # as in the node's worker: a policy's error ends its task, not the run
            result = error
        sent = self._runner.finish(job, result, now + inference_time, inference_time)
        return result if sent and isinstance(result, ActionChunk) else None

    @property
    def status(self) -> Status:
        """The state machine's status, as on /vla/policy_status."""
        return self._runner.status(self._now)

    @property
    def over(self) -> bool:
        """Whether no chunk will come any more."""
        return self.status.state in OVER

    def close(self) -> None:
        """Release the policy."""
        self.policy.close()
