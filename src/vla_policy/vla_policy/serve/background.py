# SPDX-License-Identifier: Apache-2.0
"""A policy server beside other work of the same process, for measurements and tests."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager

from vla_core.observation_map.observation_map import ObservationMap

from vla_policy.serve.engine import Engine
from vla_policy.serve.server import PolicyServer
from vla_policy.serve.settings import ServeSettings

START_S, END_S = 20.0, 20.0  # [s] that starting and ending may take


@contextmanager
def serving(
    engine: Engine, observation_map: ObservationMap, settings: ServeSettings, robot: str = "fr3"
) -> Iterator[int]:
    """Serve in a thread and yield the port; at the end close connections and engine. Raises what the server raises."""
    port: Future[int] = Future()
    end: Future[asyncio.Event] = Future()

    async def run() -> None:
        ended = asyncio.Event()
        end.set_result(ended)
        async with PolicyServer(engine, observation_map, settings, robot).running() as found:
            port.set_result(found)
            await ended.wait()

    loop = asyncio.new_event_loop()

    def work() -> None:
        try:
            loop.run_until_complete(run())
        except BaseException as error:
            if not port.done():
                port.set_exception(error)
            raise
        finally:
            loop.close()

    thread = threading.Thread(target=work, name="server", daemon=True)
    thread.start()
    try:
        yield port.result(START_S)
    finally:
        if thread.is_alive():
            loop.call_soon_threadsafe(end.result(END_S).set)
        thread.join(END_S)
        engine.close()
