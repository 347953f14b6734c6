# SPDX-License-Identifier: Apache-2.0
"""The streams of the console: posted by the node's threads, handed to every page in the server's event loop."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from vla_console.outbox import Outbox, Payload

FLEETING = "state"  # and pictures: what nobody renews while nobody watches would be old for the next page


class Hub:
    """Keeps the latest value of each stream for pages that come later, and passes new ones on."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._latest: dict[str, Payload] = {}
        self._outboxes: set[Outbox] = set()
        self.watchers = 0  # pages connected; read by other threads

    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to pass on in `loop`."""
        self._loop = loop

    def post(self, key: str, payload: Payload) -> None:
        """Set a stream, from any thread; without a page connected it is only kept."""
        loop = self._loop
        if loop is not None:
            with suppress(RuntimeError):  # the server has ended meanwhile
                loop.call_soon_threadsafe(self._put, key, payload)

    def join(self, outbox: Outbox) -> None:
        """Add a page; it gets the latest value of every stream."""
        for key, payload in self._latest.items():
            outbox.put(key, payload)
        self._outboxes.add(outbox)
        self.watchers = len(self._outboxes)

    def leave(self, outbox: Outbox) -> None:
        """Remove a page."""
        self._outboxes.discard(outbox)
        self.watchers = len(self._outboxes)
        if not self._outboxes:
            rest = self._latest.items()
            self._latest = {key: value for key, value in rest if key != FLEETING and isinstance(value, str)}

    def _put(self, key: str, payload: Payload) -> None:
        self._latest[key] = payload
        for outbox in self._outboxes:
            outbox.put(key, payload)
