# SPDX-License-Identifier: Apache-2.0
"""openpi's protocol: msgpack over a websocket. The server speaks first, then one reply follows each observation."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from typing import Any

from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection, connect

from vla_policy.errors import (
    ActionRefusedError,
    InstructionError,
    ObservationError,
    PolicyError,
    ReplyError,
    ServerRefusedError,
    UnavailableError,
)
from vla_policy.remote.address import Address
from vla_policy.remote.codecs import openpi
from vla_policy.remote.codecs.arrays import actions_from, short
from vla_policy.remote.credentials import Credentials
from vla_policy.remote.server import (
    MAX_REPLY_BYTES,
    Deadline,
    Inputs,
    RemoteServer,
    Reply,
    aborting,
    one_line,
    too_large,
)

CLOSE_S = 0.3  # [s] for the closing handshake
TOO_BIG = 1009  # close code for a message above the limit
RESET = "vla/reset"  # in the first observation of an episode, for servers of this repository
OWN_ERRORS: Mapping[
    str, type[PolicyError]
] = {  # in their texts "CLASS: message", after which the connection stays open
    kind.__name__: kind for kind in (ActionRefusedError, InstructionError, ObservationError)
}


class OpenPiServer(RemoteServer):
    """Client of openpi's server, of this repository's `vla serve` and of what else speaks that protocol."""

    def __init__(self, address: Address, credentials: Credentials) -> None:
        """Prepare. Raises ConfigurationError for settings in the address, or unusable TLS files."""
        address.choose({})
        self._uri = address.bare
        self._tls = credentials.context() if address.secure else None
        self._headers = {"Authorization": f"Api-Key {credentials.token}"} if credentials.token else {}
        self._stack = ExitStack()
        self._connection: ClientConnection | None = None
        self._metadata: Mapping[str, Any] = {}
        self._fresh = True

    def connect(self, timeout_s: float) -> Mapping[str, Any]:
        """Open the connection and return the server's metadata."""
        self.close()
        deadline = Deadline(timeout_s)
        try:
            self._connection = self._stack.enter_context(self._open(timeout_s))
            self._metadata = self._map(self._receive(deadline, "the server's metadata"), "metadata")
        except InvalidStatus as error:
            self.close()
            raise _status_error(self._uri, error.response.status_code) from error
        except BaseException:
            self.close()
            raise
        return self._metadata

    def infer(self, inputs: Inputs, timeout_s: float) -> Reply:
        """Send an observation and return the reply's `actions`; everything else is in its extras."""
        try:
            reply = self._map(self._exchange(inputs, Deadline(timeout_s)), "reply")
            if "actions" not in reply:
                raise ReplyError(f"the reply is {short(reply)}; valid is a map with actions")
            actions = actions_from(reply["actions"])
        except tuple(OWN_ERRORS.values()):
            self._fresh = False
            raise
        except BaseException:
            self.close()
            raise
        self._fresh = False
        return Reply(actions, {key: value for key, value in reply.items() if key != "actions"})

    def reset(self, timeout_s: float) -> None:
        """Let the next observation begin an episode, where the server is one of this repository."""
        self._fresh = True

    def close(self) -> None:
        """Close the connection."""
        self._connection, self._fresh = None, True
        stack, self._stack = self._stack, ExitStack()
        with suppress(OSError, WebSocketException):
            stack.close()

    def _open(self, timeout_s: float) -> ClientConnection:
        try:
            return connect(
                self._uri,
                ssl=self._tls,
                compression=None,
                max_size=MAX_REPLY_BYTES,
                additional_headers=self._headers,
                open_timeout=timeout_s,
                close_timeout=CLOSE_S,
                proxy=None,
            )
        except ssl.SSLError as error:
            raise ServerRefusedError(f"{self._uri}: the encrypted connection failed: {one_line(error)}") from error
        except TimeoutError as error:
            raise UnavailableError(f"{self._uri}: no answer within {timeout_s:g} s") from error
        except OSError as error:
            raise UnavailableError(f"{self._uri}: {error.strerror or one_line(error)}") from error
        except InvalidStatus:
            raise
        except (WebSocketException, EOFError) as error:
            raise UnavailableError(f"{self._uri} is no websocket server: {one_line(error)}") from error

    def _exchange(self, inputs: Inputs, deadline: Deadline) -> bytes:
        if self._connection is None:
            raise UnavailableError(f"{self._uri}: not connected")
        starts = {RESET: True} if self._fresh and "vla" in self._metadata else {}
        message = openpi.pack({**inputs, **starts})
        try:
            with aborting(deadline.remaining("the reply"), lambda: _abort(self._connection)):
                self._connection.send(message)
        except (OSError, WebSocketException) as error:
            raise UnavailableError(f"{self._uri}: the connection broke: {one_line(error)}") from error
        return self._receive(deadline, "the reply")

    def _receive(self, deadline: Deadline, what: str) -> bytes:
        connection = self._connection
        assert connection is not None
        try:
            message = connection.recv(deadline.remaining(what))
        except TimeoutError as error:
            raise deadline.error(what) from error
        except (OSError, WebSocketException) as error:
            if (closed := connection.protocol.close_sent) is not None and closed.code == TOO_BIG:
                raise ReplyError(too_large()) from error
            raise UnavailableError(f"{self._uri}: the connection broke: {one_line(error)}") from error
        if isinstance(message, str):
            raise self._reported(one_line(message))
        return message

    def _reported(self, text: str) -> PolicyError:
        name, _, message = text.partition(": ")
        if "vla" in self._metadata and name in OWN_ERRORS:
            return OWN_ERRORS[name](message)
        return ReplyError(f"the server reports an error: {text}")

    def _map(self, message: bytes, what: str) -> dict[str, Any]:
        value = openpi.unpack(message)
        if not isinstance(value, dict):
            raise ReplyError(f"the {what} is {short(value)}; valid is a map")
        return {str(key): item for key, item in value.items()}


def _status_error(uri: str, status: int) -> UnavailableError | ServerRefusedError:
    if status in (401, 403):
        return ServerRefusedError(
            f"{uri} refuses the token (HTTP {status}); valid is the one that the server was given"
        )
    if status == 503:
        return UnavailableError(f"{uri} has no place for another client (HTTP 503)")
    return UnavailableError(f"{uri} answers with HTTP {status}; valid is a websocket")


def _abort(connection: ClientConnection | None) -> None:
    with suppress(OSError):
        if connection is not None:
            connection.socket.shutdown(socket.SHUT_RDWR)
