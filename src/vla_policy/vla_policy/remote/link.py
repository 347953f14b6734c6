# SPDX-License-Identifier: Apache-2.0
"""A server that may go and come back: connects when needed, and waits longer after each failure."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from vla_policy.errors import PolicyError, UnavailableError
from vla_policy.remote.options import Options
from vla_policy.remote.server import Inputs, RemoteServer, Reply

FIRST_WAIT_S = 0.25  # [s] between two attempts
LONGEST_WAIT_S = 4.0  # [s]
MOST_DOUBLINGS = 2  # of the time limit of a reply, while none comes


class Link:
    """Keeps a connection to a server; used by one thread.

    `on_connect(metadata)` is called after every connection that was opened, and may refuse the server by an exception.
    """

    def __init__(
        self,
        server: RemoteServer,
        options: Options,
        on_connect: Callable[[Mapping[str, Any]], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare; nothing is connected yet. clock: [s]."""
        self._server, self._options, self._on_connect, self._clock = server, options, on_connect, clock
        self._connected = self._answered = self._ever_answered = False
        self._doublings = 0
        self._wait_s, self._next_attempt = FIRST_WAIT_S, -1.0e9
        self._reason = "not connected yet"

    @property
    def connected(self) -> bool:
        """Whether the last exchange went well, or nothing was exchanged since the connection was opened."""
        return self._connected

    def connect(self) -> None:
        """Open the connection unless it is open.

        Raises:
            UnavailableError: it cannot be opened, or the next attempt is not due yet.
            ServerRefusedError: the server refuses this client, or `on_connect` the server.
        """
        if self._connected:
            return
        rest = self._next_attempt - self._clock()
        if rest > 0.0:
            raise UnavailableError(f"{self._reason}; next attempt in {rest:.1f} s")
        try:
            self._on_connect(self._server.connect(self._options.connect_timeout))
        except BaseException as error:
            self._fail(error)
            raise
        self._connected, self._answered = True, False

    def infer(self, inputs: Inputs) -> Reply:
        """Send an observation and return the reply. Raises as `RemoteServer.infer`."""
        reply: Reply = self._guarded(lambda: self._server.infer(inputs, self._limit()))
        self._answered = self._ever_answered = True
        self._wait_s, self._doublings = FIRST_WAIT_S, 0
        return reply

    def reset(self) -> None:
        """Tell the server that an episode begins. Raises as `RemoteServer.reset`."""
        self._guarded(lambda: self._server.reset(self._options.reply_timeout))

    def fail(self, error: BaseException) -> None:
        """Close the connection because of what was received on it."""
        self._fail(error)

    def close(self) -> None:
        """Close the connection for good."""
        self._connected = False
        self._server.close()

    def _limit(self) -> float:
        """Return the time limit of the next reply [s]: long where the server has to load, else soon noticed."""
        if not (self._answered if self._server.loads else self._ever_answered):
            return self._options.first_reply_timeout
        return self._options.reply_timeout * float(2 ** min(self._doublings, MOST_DOUBLINGS))

    def _guarded(self, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except PolicyError as error:
            if isinstance(error, UnavailableError):
                self._fail(error)
            raise
        except BaseException as error:
            self._fail(error)
            raise

    def _fail(self, error: BaseException) -> None:
        self._connected = False
        self._doublings += 1
        self._server.close()
        self._reason = str(error)
        self._next_attempt = self._clock() + self._wait_s
        self._wait_s = min(2.0 * self._wait_s, LONGEST_WAIT_S)
