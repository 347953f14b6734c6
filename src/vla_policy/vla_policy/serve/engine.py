# SPDX-License-Identifier: Apache-2.0
"""What computes for the server: the interface, and the engine in this very process."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from vla_policy.errors import ConfigurationError
from vla_policy.policy import Observation, Policy
from vla_policy.serve.batcher import Batcher, Job, Made


class EngineSession(ABC):
    """One robot's task and history."""

    @abstractmethod
    async def infer(self, observation: Observation, task: str | None) -> Made:
        """Return the next actions; task: the instruction to begin with first, None to continue. Raises PolicyError."""

    @abstractmethod
    def close(self) -> None:
        """Forget the robot."""


class Engine(ABC):
    """Makes chunks for several robots. Methods are called from one event loop."""

    @abstractmethod
    def describe(self) -> Mapping[str, Any]:
        """Return what clients are told about the policy: name, checkpoint and more; numbers, texts, lists and maps."""

    @property
    @abstractmethod
    def most_sessions(self) -> int | None:
        """How many robots can be served at a time; None for any number."""

    @abstractmethod
    def open(self) -> EngineSession:
        """Return a session for one more robot. Raises ConfigurationError beyond `most_sessions`."""

    @abstractmethod
    def close(self) -> None:
        """End what was begun and release it; blocks for at most a few seconds."""


class LocalEngine(Engine):
    """One policy in this process; sessions share its weights and its batches."""

    def __init__(self, policy: Policy, max_batch: int = 16, max_wait_s: float = 0.002) -> None:
        """Start the thread that computes; the policy is closed with the engine. max_wait_s: [s]."""
        self._policy = policy
        self._batcher = Batcher(policy, max_batch, max_wait_s)
        self._shares = _shares(policy)
        self._taken = False

    def describe(self) -> Mapping[str, Any]:
        """Return what `describe` says about the policy."""
        return describe(self._policy)

    @property
    def most_sessions(self) -> int | None:
        """One for a policy that keeps the state of one robot."""
        return None if self._shares else 1

    def open(self) -> EngineSession:
        """Return a session of the policy, or the policy itself where it has none and is free."""
        if self._shares:
            return LocalSession(self, self._policy.session())
        if self._taken:
            raise ConfigurationError(f"policy {self._policy.name} serves one robot at a time; one is connected")
        self._taken = True
        return LocalSession(self, self._policy)

    def close(self) -> None:
        """End the thread and release the policy."""
        self._batcher.close()
        self._policy.close()

    async def infer(self, session: Policy, observation: Observation, task: str | None) -> Made:
        """Compute with others' observations in one batch. Raises PolicyError."""
        return await asyncio.wrap_future(self._batcher.submit(Job(session, observation, task)))

    def end(self, session: Policy) -> None:
        """Forget a session."""
        self._batcher.forget(session)
        self._taken = False


class LocalSession(EngineSession):
    """A session of a policy in this process."""

    def __init__(self, engine: LocalEngine, policy: Policy) -> None:
        """policy: this robot's own."""
        self._engine, self._policy = engine, policy

    async def infer(self, observation: Observation, task: str | None) -> Made:
        """Return the next actions. Raises PolicyError."""
        return await self._engine.infer(self._policy, observation, task)

    def close(self) -> None:
        """Give the place to another robot."""
        self._engine.end(self._policy)


def describe(policy: Policy) -> Mapping[str, Any]:
    """Return name, checkpoint, image size [pixels] and vision encoder of a policy, as clients are told them."""
    size = policy.image_size
    return {
        "policy": policy.name,
        "checkpoint": policy.checkpoint,
        "image_size": None if size is None else list(size),
        "encoder": policy.encoder_id,
    }


def _shares(policy: Policy) -> bool:
    """Whether a policy can serve several robots."""
    try:
        policy.session()
    except ConfigurationError:
        return False
    return True
