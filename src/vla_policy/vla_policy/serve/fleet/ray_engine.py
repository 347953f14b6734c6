# SPDX-License-Identifier: Apache-2.0
"""Replicas of a policy as a Ray Serve application: they batch what comes together, and one that dies is replaced.

Ray passes Python objects between its own processes as pickles: its ports belong in a network of its own. Robots speak
to the server alone, whose protocol has none.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from typing import Any

from vla_policy.errors import ConfigurationError, PolicyError, UnavailableError
from vla_policy.loading import load_policy
from vla_policy.policy import Observation
from vla_policy.serve.batcher import Made
from vla_policy.serve.engine import Engine, EngineSession, describe
from vla_policy.serve.fleet.turns import Outcome, PastNeeded, Recollection, ReplicaSessions, Turn
from vla_policy.settings import Settings

MISSING = "Ray is not installed; install it with: ./vla run pip install -r requirements/fleet.txt"
APPLICATION = "vla"
START_S = 300.0  # [s] for the first replica to load its policy
TRIES, PAUSE_S = 40, 0.25  # [s] between two: a replica that died is replaced meanwhile
ROBOTS_OF_A_REPLICA = 64  # whose sessions it keeps


class RayEngine(Engine):
    """Spreads robots over replicas; each robot's turns go to the replica that has its session, while there is one."""

    def __init__(
        self, policy: Settings, plan: Mapping[str, Any], max_batch: int = 16, max_wait_s: float = 0.002
    ) -> None:
        """Start Ray, or join the cluster in RAY_ADDRESS, and load the replicas; max_wait_s: [s].

        Raises ConfigurationError where Ray is missing, the plan is not valid, or a replica cannot load the policy.
        """
        self._ray, self._serve = _load_ray()
        if not self._ray.is_initialized():
            self._ray.init(include_dashboard=False, log_to_driver=False, configure_logging=False)
        try:
            application = _deployment(self._serve, plan, max_batch, max_wait_s).bind(policy)
            self._handle = self._serve.run(application, name=APPLICATION, route_prefix=None)
            described = self._handle.describe.remote().result(timeout_s=START_S)
        except Exception as error:  # Ray wraps what a replica raised, and its own validation errors, in many types
            self.close()
            raise ConfigurationError(f"the replicas do not start: {_last_line(error)}") from error
        self._history = int(described.pop("history"))
        self._described: dict[str, Any] = described

    def describe(self) -> Mapping[str, Any]:
        """Return what a replica says about its policy."""
        return self._described

    @property
    def most_sessions(self) -> int | None:
        """Any number."""
        return None

    def open(self) -> EngineSession:
        """Return a session for one more robot."""
        return RaySession(self._handle, self._history)

    def close(self) -> None:
        """End the replicas, and Ray where this process began it."""
        self._serve.shutdown()
        self._ray.shutdown()


class RaySession(EngineSession):
    """One robot, wherever its replica is."""

    def __init__(self, handle: Any, history: int) -> None:
        """handle: of the deployment; history: observations that a replica needs to continue."""
        robot = uuid.uuid4().hex
        self._recollection = Recollection(robot, history)
        self._handle = handle.options(multiplexed_model_id=robot)

    async def infer(self, observation: Observation, task: str | None) -> Made:
        """Return the next actions, from another replica where the robot's own has died.

        Raises PolicyError; UnavailableError where no replica answers.
        """
        if task is not None:
            self._recollection.begin(task)
        complete, failure = False, ""
        for _ in range(TRIES):
            try:
                outcome: Outcome = await self._handle.infer.remote(self._recollection.turn(observation, complete))
            except Exception as error:  # whatever Ray raises, the replica did not answer
                complete, failure = True, _last_line(error)
                await asyncio.sleep(PAUSE_S)
                continue
            if isinstance(outcome, PastNeeded):
                complete = True
                continue
            self._recollection.done(observation)
            if isinstance(outcome, PolicyError):
                raise outcome
            return outcome
        raise UnavailableError(f"no replica answered within {TRIES * PAUSE_S:g} s: {failure}")

    def close(self) -> None:
        """Nothing to do: replicas forget the robots that have been silent for longest."""


def _load_ray() -> tuple[Any, Any]:
    try:
        import ray
        from ray import serve
    except ImportError as error:
        raise ConfigurationError(f"{MISSING} ({error})") from error
    return ray, serve


def _deployment(serve: Any, plan: Mapping[str, Any], max_batch: int, max_wait_s: float) -> Any:
    """Return the deployment class; Ray's decorators need Ray, which is optional."""

    class Replica:
        """One process with the policy's weights."""

        def __init__(self, policy: Settings) -> None:
            self._policy = load_policy(policy)
            self._policy.session()  # refuses a policy that serves one robot only
            self._sessions = ReplicaSessions(self._policy, ROBOTS_OF_A_REPLICA)

        def describe(self) -> dict[str, Any]:
            return {**describe(self._policy), "history": self._policy.history}

        @serve.multiplexed(max_num_models_per_replica=ROBOTS_OF_A_REPLICA)  # type: ignore[untyped-decorator]
        async def robot(self, model_id: str) -> str:
            """Tell Ray's router that this replica has the robot's session."""
            return model_id

        @serve.batch(max_batch_size=max_batch, batch_wait_timeout_s=max_wait_s)  # type: ignore[untyped-decorator]
        async def batch(self, turns: list[Turn]) -> list[Outcome]:
            return await asyncio.to_thread(self._sessions.infer, turns)

        async def infer(self, turn: Turn) -> Outcome:
            await self.robot(turn.robot)
            outcome: Outcome = await self.batch(turn)
            return outcome

    return serve.deployment(name="policy", **plan)(Replica)


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:400] if lines else type(error).__name__
