# SPDX-License-Identifier: Apache-2.0
"""What waits to be sent to one page: of each stream the latest alone, so that a slow page costs nothing."""

from __future__ import annotations

import asyncio
from collections import deque

Payload = str | bytes
MOST_ANSWERS = 64  # that may wait
WINDOW = 2  # pictures of a camera on the way, until the page has shown one


class Outbox:
    """Streams by key, latest value wins; answers in order. To be used in one event loop."""

    def __init__(self) -> None:
        self._streams: dict[str, Payload] = {}
        self._answers: deque[Payload] = deque()
        self._on_the_way: dict[str, int] = {}
        self._changed = asyncio.Event()
        self.replaced = 0  # values that a newer one overtook

    def put(self, key: str, payload: Payload) -> None:
        """Replace the value of a stream."""
        self.replaced += key in self._streams
        self._streams[key] = payload
        self._changed.set()

    def answer(self, payload: Payload) -> bool:
        """Add an answer; return whether there was room."""
        if len(self._answers) >= MOST_ANSWERS:
            return False
        self._answers.append(payload)
        self._changed.set()
        return True

    def seen(self, key: str) -> None:
        """Note that the page has shown a value of the stream `key`, and is ready for another."""
        self._on_the_way[key] = max(0, self._on_the_way.get(key, 0) - 1)
        self._changed.set()

    async def take(self) -> Payload:
        """Return what is to be sent next; waits for it."""
        while True:
            found = self._next()
            if found is not None:
                return found
            self._changed.clear()
            await self._changed.wait()

    def _next(self) -> Payload | None:
        if self._answers:
            return self._answers.popleft()
        for key, payload in self._streams.items():
            counted = isinstance(payload, bytes)  # pictures
            if counted and self._on_the_way.get(key, 0) >= WINDOW:
                continue
            if counted:
                self._on_the_way[key] = self._on_the_way.get(key, 0) + 1
            del self._streams[key]
            return payload
        return None
