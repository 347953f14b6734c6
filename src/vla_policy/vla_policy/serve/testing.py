# SPDX-License-Identifier: Apache-2.0
"""For tests of policy servers: a policy that counts, and a client that speaks the bare protocol."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import numpy as np
from vla_core.action import ActionChunk, ActionMode, ActionStep, DeltaReference
from vla_core.observation_map.observation_map import ObservationMap
from websockets.sync.client import ClientConnection, connect

from vla_policy.errors import InstructionError, ObservationError
from vla_policy.policy import Observation, Policy
from vla_policy.remote.codecs import openpi
from vla_policy.serve.background import serving
from vla_policy.serve.engine import LocalEngine
from vla_policy.serve.settings import ServeSettings

SIZE = (128, 160)


class CountingPolicy(Policy):
    """x is the number of observations since the task began [cm]; a whole picture of 13 breaks it."""

    name = "counting"

    def __init__(self) -> None:
        """Begin without a task."""
        self.task, self.count, self.closed = "", 0, False

    def session(self) -> Self:
        """Return another one."""
        return type(self)()

    def reset(self, instruction: str) -> None:
        """Count from 0. Raises InstructionError for "fly"."""
        if instruction == "fly":
            raise InstructionError("'fly' cannot be served; valid are tasks on the table")
        self.task, self.count = instruction, 0

    def infer(self, observation: Observation) -> ActionChunk:
        """Return the count. Raises for pictures of 12 and 13."""
        if (observation.image == 13).all():
            raise RuntimeError("boom")
        if (observation.image == 12).all():
            raise ObservationError("the picture is all 12")
        self.count += 1
        return ActionChunk(
            observation.stamp,
            ActionMode.EE_DELTA,
            DeltaReference.OBSERVED,
            0.2,
            (ActionStep(translation=np.array([0.01 * self.count, 0.0, 0.0]), gripper=1.0),),
            tokens=np.array([[self.count, 7]], np.uint16),
            token_probabilities=np.array([[0.5, 1.0]], np.float32),
            dimension_names=("x", "gripper"),
            plan=self.task,
        )

    def close(self) -> None:
        """Remember it."""
        self.closed = True


class LonelyPolicy(CountingPolicy):
    """Keeps one robot's state."""

    name = "lonely"

    def session(self) -> Self:
        """Raise ConfigurationError."""
        return Policy.session(self)


@contextmanager
def serving_policy(policy: Policy, observation_map: ObservationMap, **options: Any) -> Iterator[int]:
    """Serve a policy in a thread; yields the port."""
    settings = ServeSettings(port=0, **options)
    engine = LocalEngine(policy, settings.max_batch, settings.max_wait_ms / 1e3)
    with serving(engine, observation_map, settings) as port:
        yield port


@contextmanager
def client(port: int, scheme: str = "ws", **options: Any) -> Iterator[ClientConnection]:
    """Connect to a server of this machine; options: of websockets."""
    with connect(f"{scheme}://localhost:{port}", proxy=None, compression=None, **options) as connection:
        greeting = connection.recv(20)
        assert isinstance(greeting, bytes)
        assert "vla" in openpi.unpack(greeting)
        yield connection


def inputs(
    prompt: str = "pick up the red block", value: int = 0, changes: Mapping[str, object] | None = None
) -> dict[str, Any]:
    """Return a message of the map rt1 whose picture is all `value`."""
    state = np.array([0.4, 0.0, 0.3, 1.0, 0.0, 0.0, 0.0, 0.08], np.float32)
    plain = {"observation/image": np.full((*SIZE, 3), value, np.uint8), "observation/state": state, "prompt": prompt}
    return {**plain, **(changes or {})}


def ask(connection: ClientConnection, message: Mapping[str, Any] | bytes | str) -> Any:
    """Send a message and return the decoded reply, or the text of an error."""
    connection.send(message if isinstance(message, bytes | str) else openpi.pack(message))
    answer = connection.recv(20)
    return answer if isinstance(answer, str) else openpi.unpack(answer)


def without(key: str) -> dict[str, Any]:
    """Return a message that lacks a key."""
    return {name: value for name, value in inputs().items() if name != key}


def make_certificates(folder: Path) -> None:
    """Write an authority `ca`, which signs `server` for localhost and `client`; `stranger` signed itself (openssl)."""

    def run(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True, timeout=60)

    def authority(name: str) -> None:
        key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", f"{name}.key")
        run("req", "-x509", *key, "-out", f"{name}.pem", "-subj", f"/CN={name}", "-days", "2")

    authority("ca")
    authority("stranger")
    for name in ("server", "client"):
        key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", f"{name}.key")
        run("req", *key, "-out", f"{name}.csr", "-subj", f"/CN={name}")
        (folder / "extension").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1")
        signer = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "extension")
        run("x509", "-req", "-in", f"{name}.csr", *signer, "-out", f"{name}.pem")
