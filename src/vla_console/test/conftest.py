# SPDX-License-Identifier: Apache-2.0
"""Fixtures: a console server with operations of the test behind it, and nodes."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest
from vla_console.background import serving
from vla_console.errors import ConsoleError
from vla_console.hub import Hub
from vla_console.server import ConsoleServer
from vla_console.settings import ConsoleSettings
from vla_core.ros.testing import bench, module_bench, start_node  # noqa: F401
from websockets.asyncio.client import connect


class Desk:
    """Stands for the graph: notes what pages ask for."""

    def __init__(self):
        self.done, self.lost, self.lines = [], [], []

    def perform(self, source, command):
        self.done.append((source, command))
        if getattr(command, "name", "") == "home":
            raise ConsoleError("the arm is not ready")
        return self._answer()

    async def _answer(self):
        return "done"

    def left(self, source):
        self.lost.append(source)


class Served:
    """A console server in a thread."""

    def __init__(self, address, hub, desk):
        self.http, self.hub, self.desk = address, hub, desk
        self.host = address.split("//")[1].rstrip("/")
        self.socket = f"{address.replace('http', 'ws', 1)}socket"

    @asynccontextmanager
    async def page(self, token="", **options):
        """A connected page; yields the socket after its welcome."""
        async with connect(self.socket, compression=None, max_size=None, **options) as socket:
            await socket.send(json.dumps({"do": "hello", "token": token}))
            welcome = json.loads(await socket.recv())
            assert welcome["is"] == "welcome"
            yield socket

    async def ask(self, socket, body, number=1):
        """Send a command, or a raw message, and return its answer."""
        await socket.send(json.dumps({**body, "id": number}) if isinstance(body, dict) else body)
        async with asyncio.timeout(20):
            while True:
                message = await socket.recv()
                data = json.loads(message) if isinstance(message, str) else {}
                if data.get("is") == "answer" and data["id"] == number:
                    return data


@pytest.fixture
def serve():
    """Starts a server with settings; it ends with the test."""
    from contextlib import ExitStack

    with ExitStack() as stack:

        def start(**settings):
            hub, desk = Hub(), Desk()
            server = ConsoleServer(ConsoleSettings(port=0, **settings), hub, desk, desk.lines.append)
            return Served(stack.enter_context(serving(server)), hub, desk)

        yield start


@pytest.fixture
def served(serve):
    return serve()
