# SPDX-License-Identifier: Apache-2.0
"""A policy on another machine, with the interface of a policy."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from vla_core.action import ActionChunk, ActionValueError
from vla_core.observation_map.completion import complete_from
from vla_core.observation_map.errors import ObservationMapError
from vla_core.observation_map.observation_map import ObservationMap

from vla_policy.errors import ConfigurationError, ReplyError, ServerRefusedError, UnavailableError
from vla_policy.mapping.actions import decode_actions, join_arrays
from vla_policy.mapping.inputs import encode_observation
from vla_policy.policy import Observation, Policy, PolicyConfig
from vla_policy.remote.agreement import check_agreement, read_features
from vla_policy.remote.credentials import Credentials, read_token
from vla_policy.remote.history import ImageHistory
from vla_policy.remote.link import Link
from vla_policy.remote.options import Options
from vla_policy.remote.protocols import make_server
from vla_policy.remote.server import Inputs, RemoteServer, Reply
from vla_policy.remote.tokens import with_tokens

LOG = logging.getLogger(__name__)
CLOSE_S = 1.0  # [s] that `close` waits for a reply in hand
STAMP = "vla/stamp"  # [s] of the observation, for servers of this repository


class RemotePolicy(Policy):
    """Sends observations to a policy server and returns its actions, in the terms of an observation map.

    A chunk always has the stamp of the observation that was sent for it: one request is in flight at a time, and a
    connection is closed as soon as a reply is late or unusable.
    """

    name = "remote"

    def __init__(
        self,
        server: RemoteServer,
        observation_map: ObservationMap,
        options: Options,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare; `connect` or the first inference connects.

        observation_map: bound to a robot; clock: [s], by which attempts to connect are spaced.
        """
        self._server, self._template, self._options = server, observation_map, options
        self._link = Link(server, options, self._accept, clock)
        self._map = observation_map
        self.camera_names = tuple(camera.name for camera in observation_map.cameras)
        self._metadata: Mapping[str, Any] = {}
        self._own = False  # whether the server is one of this repository
        self._served = ""  # name of the policy that such a server runs
        self._token_constrained = False
        self._instruction, self._begins = "", True
        self._in_use = threading.Lock()  # a closed socket must not be one that another thread waits on
        self._history = ImageHistory((0.0,))

    @property
    def checkpoint(self) -> str:
        """The server's address, and whether its actions are known to be constrained to legal tokens."""
        return f"{self._options.server.partition('?')[0]} ({self.remark})"

    @property
    def remark(self) -> str:
        """Whether the last reply carried tokens."""
        served = f" {self._served}" if self._served else ""
        return f"remote{served}, {'' if self._token_constrained else 'not '}token-constrained"

    @property
    def observation_map(self) -> ObservationMap:
        """The map, completed by the server's metadata once it is connected."""
        return self._map

    def connect(self) -> Mapping[str, Any]:
        """Connect now and return what the server tells about itself.

        Raises UnavailableError, or ConfigurationError where server and map do not go together.
        """
        self._link.connect()
        return self._metadata

    def reset(self, instruction: str) -> None:
        """Begin a new task; the server is told with the next observation."""
        self._instruction, self._begins = instruction, True
        self._history.clear()

    def infer(self, observation: Observation) -> ActionChunk:
        """Return the server's actions for this observation.

        Raises:
            UnavailableError: the server is gone, late or answered wrongly; the next call may succeed.
            ConfigurationError: the server refuses this client, or does not go with the map.
            ObservationError: the observation lacks something that the map names.
        """
        with self._in_use:
            return self._infer(observation)

    def _infer(self, observation: Observation) -> ActionChunk:
        self._link.connect()
        if self._begins:
            self._link.reset()
        self._server.ahead = observation.ahead
        reply = self._link.infer(self._inputs(observation))
        self._begins = False
        try:
            chunk = self._chunk(reply, observation)
        except ReplyError as error:
            self._link.fail(error)
            raise
        self._token_constrained = chunk.tokens is not None
        return chunk

    def close(self) -> None:
        """Close the connection; one that is waited on is left to end with the process."""
        if self._in_use.acquire(timeout=CLOSE_S):
            self._link.close()
            self._in_use.release()

    def _accept(self, metadata: Mapping[str, Any]) -> None:
        """Take a new connection: complete the map by the server's metadata, or refuse the server."""
        self._metadata = metadata
        about = metadata.get("vla")
        self._own = isinstance(about, dict)
        self._served = str(about.get("policy", "")) if isinstance(about, dict) else ""
        try:
            told = read_features(self._options.features_file) if self._options.features_file else metadata
            self._map = complete_from(self._template, told)
            check_agreement(self._map, metadata, self._server.known_keys())
        except ObservationMapError as error:
            raise ServerRefusedError(f"server {self._options.server}: {error}") from error
        self.camera_names = tuple(camera.name for camera in self._map.cameras)
        self._history = ImageHistory([offset * self._map.period_s for offset in self._map.history])
        self._begins = True

    def _inputs(self, observation: Observation) -> Inputs:
        inputs: dict[str, Any] = dict(encode_observation(self._map, observation, self._instruction))
        if len(self._map.history) > 1:
            keys = [camera.key for camera in self._map.cameras]
            inputs |= self._history.add(observation.stamp, {key: inputs[key] for key in keys})
        return {**inputs, STAMP: float(observation.stamp)} if self._own else inputs

    def _chunk(self, reply: Reply, observation: Observation) -> ActionChunk:
        try:
            actions = reply.actions if isinstance(reply.actions, np.ndarray) else join_arrays(self._map, reply.actions)
            chunk = decode_actions(self._map, actions, observation)
        except ActionValueError as error:
            raise ReplyError(f"the server's actions do not go with map {self._map.name}: {error}") from error
        return with_tokens(chunk, reply.extras)


OPTIONS = Options


def create(config: PolicyConfig) -> RemotePolicy:
    """Make the policy of `config.options` and connect it. A server that is not there yet is waited for later.

    Raises ConfigurationError for options that are not valid, and for a server that refuses or does not fit.
    """
    given = config.options
    options = Options(**{name: given[name] for name in Options.__dataclass_fields__ if name in given})  # type: ignore[arg-type]
    if config.observation_map is None:
        raise ConfigurationError("policy remote needs a map; valid is for example map:=openpi_droid")
    files = (options.ca_file, options.certificate_file, options.key_file)
    credentials = Credentials(read_token(options.token_file), *files)
    policy = RemotePolicy(make_server(options.server, credentials), config.observation_map, options)
    try:
        policy.connect()
    except UnavailableError as error:
        LOG.warning("no policy server yet: %s; the arm holds until one is there", error)
    return policy
