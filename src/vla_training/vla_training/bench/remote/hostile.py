# SPDX-License-Identifier: Apache-2.0
"""A policy server of openpi's protocol that fails on demand, and whose actions tell which observation they are for."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from vla_policy.remote.codecs import openpi
from websockets.exceptions import WebSocketException
from websockets.sync.server import ServerConnection, serve

STEPS = 4
LENGTH = 0.02  # [m] of a step
GIGABYTE = 2**30
TRACEBACK = "Traceback (most recent call last):\n  File \"policy.py\", line 1, in infer\nKeyError: 'wrist'\n"
Array = npt.NDArray[np.float32]


@dataclass(slots=True)
class Server:
    """fault: what the server does in place of an answer, empty for none; late_s: delay of a late reply [s]."""

    port: int = 0
    fault: str = ""
    late_s: float = 0.5


def actions_for(stamp: float) -> Array:
    """Return the answer (STEPS, 7) to the observation of a stamp [s]: a straight line in a direction of its own."""
    direction = np.random.default_rng(round(stamp * 1e3)).normal(size=3)
    answer = np.zeros((STEPS, 7), np.float32)
    answer[:, :3] = LENGTH * direction / np.linalg.norm(direction)
    return answer


@contextmanager
def hostile_server() -> Iterator[Server]:
    """Run the server on a free port of this machine."""
    state = Server()

    def handle(connection: ServerConnection) -> None:
        if state.fault == "killed":
            return
        connection.send(openpi.pack({"vla": {"version": 1}}))  # a server of this repository: it is sent stamps
        with suppress(WebSocketException, OSError):
            for message in connection:
                FAULTS.get(state.fault, _answer)(state, connection, float(openpi.unpack(_bytes(message))["vla/stamp"]))

    with serve(handle, "127.0.0.1", 0, compression=None, max_size=None, close_timeout=0.1) as server:
        state.port = server.socket.getsockname()[1]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield state
        server.shutdown()


def _bytes(message: str | bytes) -> bytes:
    return message.encode() if isinstance(message, str) else message


def _answer(state: Server, connection: ServerConnection, stamp: float) -> None:
    connection.send(openpi.pack({"actions": actions_for(stamp)}))


def _killed(state: Server, connection: ServerConnection, stamp: float) -> None:
    connection.socket.shutdown(socket.SHUT_RDWR)


def _silent(state: Server, connection: ServerConnection, stamp: float) -> None:
    return


def _late(state: Server, connection: ServerConnection, stamp: float) -> None:
    time.sleep(state.late_s)
    _answer(state, connection, stamp)


def _slow(state: Server, connection: ServerConnection, stamp: float) -> None:
    message = openpi.pack({"actions": actions_for(stamp)})
    for byte in b"\x82\x7f" + len(message).to_bytes(8, "big") + message:
        connection.socket.sendall(bytes([byte]))
        time.sleep(0.05)


def _garbage(state: Server, connection: ServerConnection, stamp: float) -> None:
    connection.send(np.random.default_rng(round(stamp * 1e3)).bytes(400))


def _cut(state: Server, connection: ServerConnection, stamp: float) -> None:
    message = openpi.pack({"actions": actions_for(stamp)})
    connection.send(message[: len(message) // 2])


def _shape(state: Server, connection: ServerConnection, stamp: float) -> None:
    connection.send(openpi.pack({"actions": actions_for(stamp)[:, :5]}))


def _nan(state: Server, connection: ServerConnection, stamp: float) -> None:
    actions = actions_for(stamp)
    actions[-1, 2] = np.nan
    connection.send(openpi.pack({"actions": actions}))


def _gigabyte(state: Server, connection: ServerConnection, stamp: float) -> None:
    connection.socket.sendall(b"\x82\x7f" + GIGABYTE.to_bytes(8, "big") + bytes(2**16))


def _traceback(state: Server, connection: ServerConnection, stamp: float) -> None:
    connection.send(TRACEBACK)
    connection.close(1011)


FAULTS: Mapping[str, Callable[[Server, ServerConnection, float], Any]] = {
    "killed": _killed,
    "silent": _silent,
    "late": _late,
    "slow": _slow,
    "garbage": _garbage,
    "cut": _cut,
    "shape": _shape,
    "nan": _nan,
    "gigabyte": _gigabyte,
    "traceback": _traceback,
}
