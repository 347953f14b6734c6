# SPDX-License-Identifier: Apache-2.0
"""The console's server: the page over HTTP, and one WebSocket for each page that is open.

The first message of a page is `hello` with its token. After that the server sends the streams of the hub, of each the
latest value, and an answer to every command that has an `id`; the page sends commands. HTTP: 403 is another site's
page, 503 that all places are taken; a wrong token closes the connection with code 4401.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from itertools import count
from typing import Protocol

from vla_core.settings import SettingsError
from vla_core.tls import server_context
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from vla_console.access import Access, Role
from vla_console.commands import Command, Hello, Seen, permitted, read_command, stops
from vla_console.errors import ConsoleError, ServerError
from vla_console.hub import Hub
from vla_console.outbox import Outbox
from vla_console.pagefiles import PageFiles, text_response
from vla_console.settings import ConsoleSettings

SOCKET, HEALTH = "/socket", "/healthz"
HELLO_S, OPEN_S, CLOSE_S = 5.0, 5.0, 0.5  # [s] for the token, the opening and the closing handshake
ALIVE_S = 10.0  # [s] after which a page that answers nothing is gone, twice
WRONG_TOKEN_S = 0.5  # [s] before a wrong token is refused
MOST_STRANGERS = 64  # connections that have not shown a token
MOST_DOING = 256  # commands being performed for all pages
MAX_MESSAGE = 2 * 2**20  # bytes of a page's message; longer than any valid one, so that most errors get an answer
WRONG_TOKEN, TOO_MANY_ANSWERS, FULL = 4401, 1008, 1013  # close codes


class Operations(Protocol):
    """What stands behind the page; called in the server's event loop."""

    def perform(self, source: str, command: Command) -> Awaitable[str]:
        """Return what was done, in words. Raises ConsoleError, also later."""
        ...

    def left(self, source: str) -> None:
        """Note that a page has lost its connection."""
        ...


class ConsoleServer:
    """Serves the page to several people."""

    def __init__(self, settings: ConsoleSettings, hub: Hub, operations: Operations, say: Callable[[str], None]) -> None:
        """`say` writes a line to the log. Raises SettingsError for unusable token or TLS files."""
        self._settings, self._hub, self._operations, self._say = settings, hub, operations, say
        self._access = Access.read(settings.token_file, settings.origins, settings.is_local)
        self._tls: ssl.SSLContext | None = None
        if settings.tls_cert:
            self._tls = server_context(settings.tls_cert, settings.tls_key)
        self._page = PageFiles()
        self._numbers, self._strangers, self._members = count(1), 0, 0
        self._doing: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        """Listen and yield the page's address; at the end close the connections. Raises ServerError."""
        server = await self._listen()
        self._hub.open(asyncio.get_running_loop())
        try:
            yield self._address(server)
        finally:
            server.close()
            with suppress(TimeoutError):  # a client that reads nothing, or has sent no request yet
                async with asyncio.timeout(2.0 * CLOSE_S):
                    await server.wait_closed()
            for connection in server.connections:
                connection.transport.abort()

    async def _listen(self) -> Server:
        first = self._settings.port
        last = first + self._settings.more_ports if first else 0
        for port in range(first, min(last, 65535) + 1):
            try:
                return await serve(
                    self._converse,
                    self._settings.host,
                    port,
                    ssl=self._tls,
                    process_request=self._admit,
                    compression=None,
                    max_size=MAX_MESSAGE,
                    max_queue=16,
                    open_timeout=OPEN_S,
                    close_timeout=CLOSE_S,
                    ping_interval=ALIVE_S,
                    ping_timeout=ALIVE_S,
                )
            except OSError as error:
                problem = error
        raise ServerError(f"cannot listen on {self._settings.host}, ports {first} to {last}: {problem}")

    def _address(self, server: Server) -> str:
        port = next(iter(server.sockets)).getsockname()[1]
        host = f"[{self._settings.host}]" if ":" in self._settings.host else self._settings.host
        return f"{'https' if self._tls else 'http'}://{host}:{port}/"

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        """Answer a request that opens no socket; None lets it open one."""
        if request.path == HEALTH:
            return text_response(HTTPStatus.OK, "OK\n")
        hosts, origins = request.headers.get_all("Host"), request.headers.get_all("Origin")
        refused = self._access.refusal(hosts[0] if len(hosts) == 1 else "", ", ".join(origins) if origins else None)
        if refused:
            return text_response(HTTPStatus.FORBIDDEN, f"{refused}\n")
        if request.path != SOCKET:
            return self._page.respond(request.path)
        if self._strangers >= MOST_STRANGERS or self._members >= self._settings.max_clients:
            text = f"{self._members} pages are connected; valid are {self._settings.max_clients}\n"
            return text_response(HTTPStatus.SERVICE_UNAVAILABLE, text)
        return None

    async def _converse(self, connection: ServerConnection) -> None:
        self._strangers += 1
        try:
            role = await self._identify(connection)
        finally:
            self._strangers -= 1
        if role is None:
            return
        if self._members >= self._settings.max_clients:  # several were admitted at the same moment
            await connection.close(FULL, f"valid are {self._settings.max_clients} pages")
            return
        self._members += 1
        source = f"{role.value} {next(self._numbers)} at {_peer(connection)}"
        self._say(f"{source}: connected, {self._members} of {self._settings.max_clients}")
        try:
            await self._serve(connection, source, role)
        finally:
            self._members -= 1
            self._operations.left(source)
            self._say(f"{source}: gone")

    async def _identify(self, connection: ServerConnection) -> Role | None:
        """Return the role of the page by its first message; None: it has been refused."""
        try:
            async with asyncio.timeout(HELLO_S):
                command, _ = read_command(await connection.recv())
        except (TimeoutError, ConsoleError, ConnectionClosed):
            await connection.close(WRONG_TOKEN, "the first message is 'hello' with the token")
            return None
        role = self._access.role(command.token) if isinstance(command, Hello) else None
        if role is None:
            self._say(f"{_peer(connection)}: wrong token")
            await asyncio.sleep(WRONG_TOKEN_S)
            await connection.close(WRONG_TOKEN, "the token is missing or wrong")
        return role

    async def _serve(self, connection: ServerConnection, source: str, role: Role) -> None:
        outbox = Outbox()
        outbox.answer(json.dumps({"is": "welcome", "role": role.value, "source": source}))
        self._hub.join(outbox)
        sending = asyncio.create_task(_send(connection, outbox))
        try:
            async for message in connection:
                if not await self._take(message, source, role, outbox):
                    await connection.close(TOO_MANY_ANSWERS, "too many answers wait to be read")
        except ConnectionClosed:
            pass
        finally:
            self._hub.leave(outbox)
            sending.cancel()
            with suppress(asyncio.CancelledError):
                await sending

    async def _take(self, message: str | bytes, source: str, role: Role, outbox: Outbox) -> bool:
        """Perform a page's message; return whether its answer found room."""
        number = 0
        try:
            command, number = read_command(message)
            if isinstance(command, Seen):
                outbox.seen(command.camera)
                return True
            if not permitted(role, command):
                raise ConsoleError("this page may watch and stop; to operate, open it with a token for 'operate'")
            if len(self._doing) >= MOST_DOING and not stops(command):
                raise ConsoleError(f"{MOST_DOING} commands are being performed; wait for their answers")
            doing = self._operations.perform(source, command)
        except (ConsoleError, SettingsError) as error:
            return outbox.answer(_answer(number, ok=False, text=str(error)))
        if not number:
            with suppress(ConsoleError):
                await doing
            return True
        task = asyncio.ensure_future(_finish(doing, number, outbox))  # the page may stop meanwhile
        self._doing.add(task)
        task.add_done_callback(self._doing.discard)
        return True


async def _send(connection: ServerConnection, outbox: Outbox) -> None:
    with suppress(ConnectionClosed):
        while True:
            await connection.send(await outbox.take())


async def _finish(doing: Awaitable[str], number: int, outbox: Outbox) -> None:
    try:
        outbox.answer(_answer(number, ok=True, text=await doing))
    except ConsoleError as error:
        outbox.answer(_answer(number, ok=False, text=str(error)))


def _answer(number: int, ok: bool, text: str) -> str:
    return json.dumps({"is": "answer", "id": number, "ok": ok, "text": text})


def _peer(connection: ServerConnection) -> str:
    address = connection.remote_address
    return f"{address[0]}:{address[1]}" if address else "unknown"
