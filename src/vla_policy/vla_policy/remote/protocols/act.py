# SPDX-License-Identifier: Apache-2.0
"""OpenVLA's protocol: POST of one JSON object to `/act`, answered by one action or a list of them."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

import httpx2

from vla_policy.errors import ConfigurationError, ReplyError, ServerRefusedError, UnavailableError
from vla_policy.remote.address import Address
from vla_policy.remote.codecs import json_arrays
from vla_policy.remote.codecs.arrays import actions_from
from vla_policy.remote.credentials import Credentials
from vla_policy.remote.server import MAX_REPLY_BYTES, Inputs, RemoteServer, Reply, one_line, too_large

PATH = "/act"
FORMS = ("plain", "encoded")
T = TypeVar("T")


class ActServer(RemoteServer):
    """Client of OpenVLA's and OpenVLA-OFT's `deploy.py`, and of what else answers on `/act`.

    Setting `form`: plain sends the JSON as it is, encoded sends it as a text within JSON.
    """

    def __init__(self, address: Address, credentials: Credentials) -> None:
        """Prepare. Raises ConfigurationError for unknown settings or unusable TLS files."""
        settings = address.choose({"form": FORMS[0]})
        if settings["form"] not in FORMS:
            raise ConfigurationError(f"form is {settings['form']!r}; valid are {', '.join(FORMS)}")
        self._encoded = settings["form"] == "encoded"
        self._url = address.bare if address.path.strip("/") else f"{address.bare.rstrip('/')}{PATH}"
        self._tls: ssl.SSLContext | bool = credentials.context() if address.secure else False
        self._headers = {"Authorization": f"Bearer {credentials.token}"} if credentials.token else {}
        self._runner: asyncio.Runner | None = None
        self._client: httpx2.AsyncClient | None = None

    def connect(self, timeout_s: float) -> Mapping[str, Any]:
        """Ask whether a server is there; the protocol has no metadata."""
        self.close()
        self._runner = asyncio.Runner()
        self._client = httpx2.AsyncClient(
            verify=self._tls,
            headers=self._headers,
            timeout=None,
            trust_env=False,
            limits=httpx2.Limits(max_connections=1),
        )
        try:
            status, _ = self._run(self._request("GET", None), timeout_s, "the server's answer")
            self._check_status(status, probing=True)
        except BaseException:
            self.close()
            raise
        return {}

    def infer(self, inputs: Inputs, timeout_s: float) -> Reply:
        """Send an observation and return the action or actions."""
        text = json_arrays.dumps(dict(inputs))
        body = json_arrays.dumps({"encoded": text}) if self._encoded else text
        try:
            status, content = self._run(self._request("POST", body), timeout_s, "the reply")
            self._check_status(status)
            return Reply(actions_from(_array(json_arrays.loads(content))))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection."""
        client, runner = self._client, self._runner
        self._client = self._runner = None
        if runner is not None:
            if client is not None:
                runner.run(client.aclose())
            runner.close()

    def _run(self, work: Coroutine[Any, Any, T], timeout_s: float, what: str) -> T:
        if self._runner is None:
            work.close()
            raise UnavailableError(f"{self._url}: not connected")
        try:
            return self._runner.run(asyncio.wait_for(work, timeout_s))
        except TimeoutError as error:
            raise UnavailableError(f"{what} did not come within {timeout_s:g} s") from error
        except httpx2.ConnectError as error:
            if isinstance(_cause(error), ssl.SSLError):
                raise ServerRefusedError(f"{self._url}: the encrypted connection failed: {one_line(error)}") from error
            raise UnavailableError(f"{self._url}: {one_line(error)}") from error
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            raise UnavailableError(
                f"{self._url}: the connection broke: {one_line(error or type(error).__name__)}"
            ) from error

    async def _request(self, method: str, body: str | None) -> tuple[int, bytes]:
        assert self._client is not None
        headers = {"Content-Type": "application/json"}
        async with self._client.stream(method, self._url, content=body, headers=headers) as response:
            parts: list[bytes] = []
            size = 0
            async for part in response.aiter_bytes():
                size += len(part)
                if size > MAX_REPLY_BYTES:
                    raise ReplyError(too_large())
                parts.append(part)
            return response.status_code, b"".join(parts)

    def _check_status(self, status: int, probing: bool = False) -> None:
        if status in (401, 403):
            raise ServerRefusedError(
                f"{self._url} refuses the token (HTTP {status}); valid is the one that the server was given"
            )
        if not probing and status != 200:
            raise ReplyError(f"{self._url} answers with HTTP {status}; valid is 200")


def _cause(error: BaseException) -> BaseException:
    """Return the first of a chain of errors."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return error


def _array(value: object) -> object:
    """Return the actions of a reply: an array, a list of arrays, or a text of JSON with either."""
    if value == "error":
        raise ReplyError("the server reports an error without saying which; its log tells more")
    if isinstance(value, str):
        return _array(json_arrays.loads(value)) if value[:1] in "[{" and value else _refuse(value)
    if isinstance(value, dict):
        for key in ("actions", "action"):
            if key in value:
                return value[key]
        raise ReplyError(
            f"the reply is a map with {', '.join(map(str, list(value)[:8]))}; valid is an array of actions"
        )
    return value


def _refuse(text: str) -> object:
    raise ReplyError(f"the server reports an error: {one_line(text)}")
