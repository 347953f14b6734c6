# SPDX-License-Identifier: Apache-2.0
"""A local policy that acts while a remote one is late or gone."""

from __future__ import annotations

import logging
import threading
import time

from vla_core.action import ActionChunk

from vla_policy.errors import InstructionError, PolicyError, UnavailableError
from vla_policy.policy import Answer, Observation, Policy

LOG = logging.getLogger(__name__)


class FallbackPolicy(Policy):
    """Asks `remote` first; from its first failure on `local` acts, until `remote` has answered a trial in time.

    Trials run in a thread of their own with the latest observation, so that the local policy's chunks come regularly.
    Whichever policy takes over begins the task anew.
    """

    name = "edge"

    def __init__(self, remote: Policy, local: Policy, in_time_s: float, probe_period_s: float = 1.0) -> None:
        """in_time_s [s]: a trial that takes longer has failed; probe_period_s [s]: between two trials."""
        self._remote, self._local = remote, local
        self._in_time_s, self._probe_period_s = in_time_s, probe_period_s
        self.camera_names = tuple(dict.fromkeys((*remote.camera_names, *local.camera_names)))
        self._instruction = ""
        self._latest: Observation | None = None
        self._away = ""  # why the local policy acts; empty while the remote one does
        self._lock = threading.Lock()  # of what is above, between `infer` and the trials
        self._ended = threading.Event()
        self._trials: threading.Thread | None = None

    @property
    def image_size(self) -> tuple[int, int] | None:
        """(height, width) [px] that both take."""
        return self._remote.image_size or self._local.image_size

    @property
    def checkpoint(self) -> str:
        """What acts: the server, or the local policy and why."""
        away = self._away
        return f"local {self._local.name}, for {away}" if away else self._remote.checkpoint

    @property
    def acting(self) -> Policy:
        """The policy that makes the chunks now."""
        return self._local if self._away else self._remote

    def reset(self, instruction: str) -> None:
        """Begin a new task. Raises InstructionError where the policy that acts cannot serve it."""
        with self._lock:
            self._instruction = instruction
            self.acting.reset(instruction)

    def infer(self, observation: Observation) -> ActionChunk:
        """Return the next actions, of the local policy where the remote one is late or gone. Raises what it raises."""
        with self._lock:
            self._latest = observation
            remote_acts = not self._away
        if remote_acts:
            try:
                return self._remote.infer(observation)
            except UnavailableError as error:
                self._leave(str(error))
        return self._local.infer(observation)

    def ask(self, observation: Observation, question: str) -> Answer:
        """Let the local policy answer. Raises InstructionError where it cannot."""
        return self._local.ask(observation, question)

    def close(self) -> None:
        """End the trials and close both policies."""
        self._ended.set()
        if self._trials is not None:
            self._trials.join(self._in_time_s + 1.0)
        self._remote.close()
        self._local.close()

    def _leave(self, reason: str) -> None:
        """Let the local policy act from now on. Raises InstructionError where it cannot serve the task."""
        LOG.warning("local policy %s acts: %s", self._local.name, reason)
        with self._lock:
            self._away = reason
        self._trials = threading.Thread(target=self._try, name="link", daemon=True)
        self._trials.start()
        self._local.reset(self._instruction)

    def _try(self) -> None:
        while not self._ended.wait(self._probe_period_s):
            with self._lock:
                instruction, observation = self._instruction, self._latest
            if observation is None or not self._answers(instruction, observation):
                continue
            with self._lock:
                if self._instruction != instruction:
                    continue
                self._remote.reset(instruction)
                self._away = ""
            LOG.warning("the server acts again")
            return

    def _answers(self, instruction: str, observation: Observation) -> bool:
        """Whether the remote policy makes a chunk in time."""
        begun = time.monotonic()
        try:
            self._remote.reset(instruction)
            self._remote.infer(observation)
        except InstructionError as error:
            LOG.warning("the remote policy cannot serve the task: %s", error)
            return False
        except PolicyError:
            return False
        return time.monotonic() - begun <= self._in_time_s
