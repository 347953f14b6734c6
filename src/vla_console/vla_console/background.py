# SPDX-License-Identifier: Apache-2.0
"""The server in a thread of its own, beside the node's executor."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager

from vla_console.server import ConsoleServer

START_S, END_S = 20.0, 5.0  # [s] that starting and ending may take


@contextmanager
def serving(server: ConsoleServer) -> Iterator[str]:
    """Serve in a thread and yield the page's address; at the end close connections. Raises what `running` raises."""
    address: Future[str] = Future()
    loop = asyncio.new_event_loop()
    ended = asyncio.Event()

    async def run() -> None:
        try:
            async with server.running() as found:
                address.set_result(found)
                await ended.wait()
        except BaseException as error:
            if address.done():
                raise
            address.set_exception(error)

    def work() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:  # at the end it cancels what is left
            runner.run(run())

    thread = threading.Thread(target=work, name="console server", daemon=True)
    thread.start()
    try:
        yield address.result(START_S)
    finally:
        if thread.is_alive():
            loop.call_soon_threadsafe(ended.set)
        thread.join(END_S)
