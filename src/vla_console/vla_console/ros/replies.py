# SPDX-License-Identifier: Apache-2.0
"""Answers from the node's executor to the server's event loop, which run in different threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from vla_console.errors import ConsoleError


def hand_over() -> tuple[asyncio.Future[Any], Callable[[Any], None]]:
    """Return a future of the running event loop, and the callback that sets it to the result of an rclpy future."""
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[Any] = loop.create_future()

    def settle(reply: Any) -> None:
        if not answered.done():  # nobody waits any more
            answered.set_result(reply)

    def take(done: Any) -> None:
        with suppress(RuntimeError):  # the server has ended meanwhile
            loop.call_soon_threadsafe(settle, done.result())

    return answered, take


async def awaited(answered: asyncio.Future[Any], patience: float, name: str) -> Any:
    """Return what `name` answers. Raises ConsoleError after `patience` [s]."""
    try:
        async with asyncio.timeout(patience):
            return await answered
    except TimeoutError:
        raise ConsoleError(f"{name} has not answered for {patience:g} s") from None
