# SPDX-License-Identifier: Apache-2.0
"""Pages of the console as clients in a process: `python -m vla_demo.run.pages URL READERS DEAF`.

Readers take everything and acknowledge each picture, as the page does; the deaf read nothing. When standard input ends,
what the first reader saw is printed: `{"glass_s": [...], "console_s": [...], "pictures": n, "states": n}`, times from
the stamp of a picture, and from its arrival at console_node, to its reception and decoding.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from websockets.asyncio.client import ClientConnection, connect

NICE = 10  # in practice they run on other machines


class Reader:
    """A page that shows everything."""

    def __init__(self, measures: bool) -> None:
        self._measures = measures
        self.glass_s: list[float] = []
        self.console_s: list[float] = []
        self.states = 0

    async def read(self, socket: ClientConnection) -> None:
        """Take messages without end."""
        async for message in socket:
            if isinstance(message, bytes):
                head, _, jpeg = message.partition(b"\n")
                picture = json.loads(head)
                if self._measures:
                    cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
                    now = time.time()
                    self.glass_s.append(now - picture["stamp"])
                    self.console_s.append(now - picture["heard"])
                await socket.send(json.dumps({"do": "seen", "camera": picture["camera"]}))
            else:
                self.states += '"is": "state"' in message[:20]


async def run(url: str, readers: int, deaf: int) -> dict[str, Any]:
    """Open the pages, until standard input ends; return what the first reader saw."""
    pages = [Reader(measures=i == 0) for i in range(readers)]
    sockets = [await _open(url) for _ in range(readers + deaf)]
    tasks = [asyncio.create_task(page.read(socket)) for page, socket in zip(pages, sockets, strict=False)]
    for socket in sockets[readers:]:
        socket.transport.pause_reading()
    print("open", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    for task in tasks:
        task.cancel()
    for socket in sockets:
        socket.transport.abort()
    first = pages[0]
    return {
        "glass_s": first.glass_s,
        "console_s": first.console_s,
        "pictures": len(first.glass_s),
        "states": first.states,
    }


async def _open(url: str) -> ClientConnection:
    socket = await connect(url, compression=None, max_size=None, proxy=None)
    await socket.send(json.dumps({"do": "hello"}))
    return socket


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the pages and print what the first one saw."""
    url, readers, deaf = sys.argv[1:] if arguments is None else arguments
    os.nice(NICE)
    print(json.dumps(asyncio.run(run(url, int(readers), int(deaf)))), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
