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


def sample_state(**parts):
    """A state as console_node posts it, with what a hostile or careless person may have said in it."""
    controller = {
        "state": "tracking",
        "owner": "policy",
        "device": "",
        "intervention": False,
        "reason": HTML,
        "sequence": "5",
        "joints": [0.1, -0.2, 0.3, -2.0, 0.0, 2.0, 0.8],
        "setpoint": [0.1] * 7,
        "velocity": [0.2] * 7,
        "tool": [0.5, 0.0, 0.3],
        "gripper": 1.0,
        "tick_ms": 50.0,
        "compute_ms": 1.0,
        "latency": 0.31,
        "budget": 0.3,
        "pace": 1.0,
        "chunks": 4,
        "late": 0,
        "refusals": [{"name": "observation_too_old", "count": 3, "reason": HTML}],
        "age": 0.02,
        "hz": 20.0,
    }
    policy = {
        "state": "running",
        "policy": "rt1",
        "checkpoint": "lite",
        "instruction": HTML,
        "sequence": "5",
        "rate": 5.0,
        "chunks": 4,
        "inference_ms": 30.0,
        "observation_age": 0.1,
        "confidence": 0.9,
        "legal_mass": None,
        "refused": 0,
        "reason": "",
        "age": 0.1,
        "hz": 5.0,
    }
    chunk = {
        "sequence": 4,
        "steps": 1,
        "period": 0.2,
        "names": ["x", "y"],
        "tokens": [128, 40],
        "probabilities": [0.75, 0.5],
        "translation": [0, 0, 0],
        "rotation": [0, 0, 0],
        "gripper": 1.0,
        "ends": False,
    }
    rest = {
        "operator": {"age": 0.1, "hz": 5.0},
        "recorder": None,
        "utterance": None,
        "task": None,
        "plan": {"text": HTML, "id": "a"},
        "score": {"tasks": 1, "successes": 0},
        "question": "",
        "time": 1.0,
        "watchers": 1,
        "cameras": [{"name": "front", "topic": "/front", "hz": 10.0, "age": 0.1, "problem": ""}],
    }
    return {"is": "state", "controller": controller, "policy": policy, "chunk": chunk, **rest, **parts}


HTML = "<img src=x onerror=\"document.title='broken'\"><script>document.title='broken'</script>"
ABOUT = {
    "is": "about",
    "robot": "fr3",
    "namespace": "/",
    "joints": [f"joint{i}" for i in range(7)],
    "lower": [-3.0] * 7,
    "upper": [3.0] * 7,
    "speed": [2.0] * 7,
    "motion_budget": 0.6,
    "linear_speed": 0.2,
}


@pytest.fixture
def html():
    """A text that does harm where it is read as HTML."""
    return HTML


@pytest.fixture
def state():
    """Makes a state."""
    return sample_state


@pytest.fixture
def about():
    """What console_node says of the robot."""
    return ABOUT
