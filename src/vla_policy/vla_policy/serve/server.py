# SPDX-License-Identifier: Apache-2.0
"""openpi's protocol, the server's side: metadata first, then one reply for each observation. One session a connection.

A message that cannot be served gets a text, as openpi's errors are, and the connection stays. HTTP: `/healthz` answers
200 to anybody; 401 is a wrong token, 503 that all places are taken.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

from vla_core.observation_map.observation_map import ObservationMap
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request as HttpRequest
from websockets.http11 import Response

from vla_policy.errors import ActionRefusedError, ObservationError
from vla_policy.serve.access import SCHEME, Tokens, tls_context
from vla_policy.serve.engine import Engine, EngineSession
from vla_policy.serve.replies import metadata, refusal, reply
from vla_policy.serve.requests import Request, read_request
from vla_policy.serve.settings import ServeSettings

LOG = logging.getLogger(__name__)
OPEN_S, CLOSE_S = 10.0, 2.0  # [s] for the opening and the closing handshake
MIB = 2**20
HEALTH = "/healthz"


class PolicyServer:
    """Serves an engine to several robots."""

    def __init__(self, engine: Engine, observation_map: ObservationMap, settings: ServeSettings, robot: str) -> None:
        """observation_map: bound to the robot. Raises ConfigurationError for unusable token or TLS files."""
        self._engine, self._map, self._settings = engine, observation_map, settings
        self._greeting = metadata(engine.describe(), observation_map, robot)
        self._tokens, self._tls = Tokens.read(settings.token_file), tls_context(settings)
        most = engine.most_sessions
        self._places = settings.max_clients if most is None else min(most, settings.max_clients)
        self._clients = 0

    @property
    def scheme(self) -> str:
        """ws, or wss where connections are encrypted."""
        return "wss" if self._tls else "ws"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[int]:
        """Listen and yield the port; at the end close the connections as "going away". Raises OSError."""
        server = await serve(
            self._converse,
            self._settings.host,
            self._settings.port,
            ssl=self._tls,
            process_request=self._admit,
            compression=None,
            max_size=int(self._settings.max_message_mib * MIB),
            max_queue=2,
            open_timeout=OPEN_S,
            close_timeout=CLOSE_S,
        )
        try:
            yield _port(server)
        finally:
            server.close()
            await server.wait_closed()

    def _admit(self, connection: ServerConnection, request: HttpRequest) -> Response | None:
        """Answer a request that opens no session; None lets it open one."""
        if request.path == HEALTH:
            return connection.respond(HTTPStatus.OK, "OK\n")
        headers = request.headers.get_all("Authorization")
        if not self._tokens.admit(headers[0] if len(headers) == 1 else None):
            text = f"the token is missing or wrong; valid is the header 'Authorization: {SCHEME} TOKEN'\n"
            return connection.respond(HTTPStatus.UNAUTHORIZED, text)
        if self._clients >= self._places:
            text = f"{self._clients} clients are connected; valid are {self._places}\n"
            return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, text)
        return None

    async def _converse(self, connection: ServerConnection) -> None:
        if self._clients >= self._places:  # several were admitted at the same moment
            await connection.close(1013, f"valid are {self._places} clients")
            return
        self._clients += 1
        session = self._engine.open()
        peer = str(connection.remote_address)
        LOG.info("client %s connected, %d of %d", peer, self._clients, self._places)
        try:
            await connection.send(self._greeting)
            await self._answer(connection, session)
        except ConnectionClosed as closed:
            LOG.info("client %s left: %s", peer, closed)
        finally:
            self._clients -= 1
            session.close()

    async def _answer(self, connection: ServerConnection, session: EngineSession) -> None:
        """Reply to every message until the client leaves."""
        task: str | None = None  # the one that the session is at
        async for message in connection:
            try:
                request = await self._read(message)
                begins = request.reset or request.instruction != task
                task = None if begins else task
                made = await session.infer(request.observation, request.instruction if begins else None)
                task = request.instruction
                answer: bytes | str = reply(made, self._map, request.observation)
            except ActionRefusedError as error:  # the task continues
                task, answer = request.instruction, refusal(error)
            except Exception as error:  # whatever one client's message leads to concerns that client alone
                LOG.warning("client %s: %s", connection.remote_address, error)
                answer = refusal(error)
            await connection.send(answer)

    async def _read(self, message: str | bytes) -> Request:
        if isinstance(message, str):
            raise ObservationError("the message is a text; valid is msgpack in a binary message")
        return await asyncio.to_thread(read_request, message, self._map, time.monotonic())


def _port(server: Server) -> int:
    return int(next(iter(server.sockets)).getsockname()[1])
