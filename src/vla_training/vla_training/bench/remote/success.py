# SPDX-License-Identifier: Apache-2.0
"""The same episodes with a policy in process and the same policy served, and what the way there and back adds."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any

import numpy as np
from vla_core.action import ActionChunk
from vla_policy.loading import policy_settings
from vla_policy.policy import Observation, Policy
from vla_policy.remote.credentials import Credentials
from vla_policy.remote.options import Options
from vla_policy.remote.policy import RemotePolicy
from vla_policy.remote.protocols import make_server
from vla_policy.remote.server import Inputs, RemoteServer, Reply
from vla_policy.serve.command import bound_map
from vla_policy.serve.process import serving_process

from vla_training.evaluate.command import EpisodeResult, EvalSettings, Evaluator

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PATIENCE_S = 60.0  # [s] for a reply: here the world waits


class Listening(RemoteServer):
    """Passes everything on and keeps how long the server says that it computed."""

    def __init__(self, server: RemoteServer) -> None:
        """server: the connection."""
        self._server, self.infer_ms = server, 0.0

    def connect(self, timeout_s: float) -> Mapping[str, Any]:
        """Connect."""
        return self._server.connect(timeout_s)

    def infer(self, inputs: Inputs, timeout_s: float) -> Reply:
        """Ask the server."""
        reply = self._server.infer(inputs, timeout_s)
        self.infer_ms = float(reply.extras["server_timing"]["infer_ms"])
        return reply

    def reset(self, timeout_s: float) -> None:
        """Begin an episode."""
        self._server.reset(timeout_s)

    def close(self) -> None:
        """Disconnect."""
        self._server.close()

    def known_keys(self) -> frozenset[str] | None:
        """Return the server's keys."""
        return self._server.known_keys()


class Timed(Policy):
    """A remote policy that keeps what each inference took besides the computation itself [ms]."""

    name = "timed"

    def __init__(self, policy: RemotePolicy, server: Listening) -> None:
        """server: what the policy asks."""
        self._policy, self._server = policy, server
        self.added_ms: list[float] = []

    def reset(self, instruction: str) -> None:
        """Begin a task."""
        self._policy.reset(instruction)

    def infer(self, observation: Observation) -> ActionChunk:
        """Return the next actions."""
        begun = time.perf_counter()
        chunk = self._policy.infer(observation)
        self.added_ms.append(1e3 * (time.perf_counter() - begun) - self._server.infer_ms)
        return chunk

    def close(self) -> None:
        """Disconnect."""
        self._policy.close()


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return success in process and remote, and percentiles of the added time [ms]; episodes take turns."""
    observation_map = bound_map("", arguments.policy, arguments.robot)
    options = {"checkpoint": arguments.checkpoint, "device": arguments.device, "threads": arguments.threads or 1}
    settings = EvalSettings(
        policy_settings(arguments.policy, arguments.robot, **options),
        seed=arguments.seed,
    )
    words = [item for name, value in options.items() for item in (f"--{name}", str(value))]
    with ExitStack() as stack:
        uri = stack.enter_context(serving_process(arguments.policy, "--robot", arguments.robot, *words))
        server = Listening(make_server(uri, Credentials()))
        patient = Options(server=uri, reply_timeout=PATIENCE_S)
        timed = Timed(RemotePolicy(server, observation_map, patient), server)
        local = stack.enter_context(closing(Evaluator(settings)))
        remote = stack.enter_context(closing(Evaluator(settings, policy=timed)))
        pairs: list[tuple[EpisodeResult, EpisodeResult]] = []
        for index in range(arguments.episodes):
            pairs.append((local.run(index), remote.run(index)))
            print(f"  {index + 1}: local {pairs[-1][0].success}, remote {pairs[-1][1].success}", flush=True)
    added = np.percentile(timed.added_ms, [50, 99])
    return {
        "success_local": sum(one.success for one, _ in pairs) / len(pairs),
        "success_remote": sum(other.success for _, other in pairs) / len(pairs),
        "added_ms_p99": round(float(added[1]), 3),
        "success": {
            "episodes": len(pairs),
            "same_outcome": sum(one.success == other.success for one, other in pairs),
            "same_time": sum(one.seconds == other.seconds for one, other in pairs),
            "inferences": len(timed.added_ms),
            "added_ms_p50": round(float(added[0]), 3),
        },
    }


def draw(axes: Axes, result: Mapping[str, Any]) -> None:
    """Draw both rates of success."""
    rates = [100.0 * result[key] for key in ("success_local", "success_remote")]
    bars = axes.bar(["in process", "remote"], rates, color=["C0", "C1"], width=0.6)
    axes.bar_label(bars, fmt="%.0f %%")
    axes.set(
        ylabel="episodes that succeed [%]",
        ylim=(0, 112),
        title=f"{result['success']['episodes']} episodes, added p99 {result['added_ms_p99']:.1f} ms",
    )
