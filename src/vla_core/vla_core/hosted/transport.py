# SPDX-License-Identifier: Apache-2.0
"""One JSON request over HTTP: a time limit that includes repeated requests, a size limit, and no key in any message."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx2

from vla_core.hosted.errors import RefusedError, UnreachableError, UnusableError

MAX_REPLY_BYTES = 2 * 2**20  # a plan has some hundred bytes; with a model's thoughts some ten thousand
REPEATED = (408, 425, 429, 500, 502, 503, 504)  # statuses after which the same request may succeed
FIRST_WAIT_S = 0.5  # [s] before the first repetition; doubled for each further one
_NUMBER = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)")
_RETRY_DELAY = re.compile(r'"retryDelay":\s*"(\d{1,9}(?:\.\d{1,9})?)s"')
LOCAL = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server sent back. `wait_s`: its Retry-After [s], 0 without one."""

    status: int
    content: bytes
    wait_s: float = 0.0


@dataclass(slots=True)
class Transport:
    """Sends requests to one server. `timeout`: [s] for an answer, repetitions included; `secret`: the key, or empty."""

    timeout: float
    retries: int
    secret: str = ""
    proxy: str = ""
    _closed: threading.Event = field(default_factory=threading.Event)
    _tls: ssl.SSLContext | None = None  # made once: reading the authorities takes 40 ms

    def post(self, url: str, headers: Mapping[str, str], body: Mapping[str, Any]) -> Answer:
        """Send a request, again after faults that may pass, and return the answer of any status.

        Raises:
            UnreachableError: no answer within the time limit, or only faults of the server.
        """
        content = json.dumps(body, allow_nan=False).encode()
        end = time.monotonic() + self.timeout
        for attempt in range(self.retries + 1):
            answer, reason = self._attempt(url, headers, content, end)
            if answer is not None and answer.status not in REPEATED:
                return answer
            asked = answer.wait_s if answer is not None else 0.0
            wait = max(asked, FIRST_WAIT_S * 2.0**attempt)
            if attempt == self.retries or time.monotonic() + wait >= end:
                break
            if self._closed.wait(wait):
                raise UnreachableError("closed while waiting for the server")
        raise UnreachableError(f"{_place(url)}: {reason} ({attempt + 1} requests)", asked)

    def close(self) -> None:
        """Let a request that waits for its repetition end."""
        self._closed.set()

    def clean(self, text: object, limit: int = 240) -> str:
        """Return a server's text in one line without control characters, shortened, and without the key."""
        line = " ".join("".join(char if char.isprintable() else " " for char in str(text)).split())
        line = line.replace(self.secret, "***") if self.secret else line
        return line if len(line) <= limit else line[:limit] + "…"

    def _attempt(self, url: str, headers: Mapping[str, str], content: bytes, end: float) -> tuple[Answer | None, str]:
        """Return the answer, or None, and what was wrong."""
        rest = end - time.monotonic()
        try:
            answer = asyncio.run(asyncio.wait_for(self._post(url, headers, content), max(rest, 0.001)))
        except TimeoutError:
            return None, f"no answer within {self.timeout:g} s"
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            return None, f"the connection failed: {self.clean(error or type(error).__name__)}"
        return answer, f"HTTP {answer.status}: {self.clean(error_text(answer.content))}"

    async def _post(self, url: str, headers: Mapping[str, str], content: bytes) -> Answer:
        sent = {"Content-Type": "application/json", **headers}
        if self._tls is None and url.startswith("https:"):
            self._tls = httpx2.create_ssl_context()
        client = httpx2.AsyncClient(
            verify=self._tls or False, timeout=None, trust_env=False, proxy=self.proxy or None, follow_redirects=False
        )
        async with client, client.stream("POST", url, content=content, headers=sent) as response:
            parts, size = [], 0
            async for part in response.aiter_bytes():
                size += len(part)
                if size > MAX_REPLY_BYTES:
                    raise UnusableError(f"the reply is too large; valid is up to {MAX_REPLY_BYTES} bytes")
                parts.append(part)
            content = b"".join(parts)
            return Answer(response.status_code, content, _wait(response.headers.get("Retry-After", ""), content))


def checked_url(url: str, key: str) -> str:
    """Return a server's address without a slash at its end.

    Raises:
        RefusedError: another form, or a key that would go unencrypted to another machine.
    """
    example = "valid is for example http://localhost:8000/v1 or https://HOST/v1"
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise RefusedError(f"url is {url[:80]!r}: {error}; {example}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise RefusedError(f"url is {url[:80]!r}; {example}")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise RefusedError(f"url has a user name, a query or a fragment; a key comes from the environment; {example}")
    if key and parts.scheme == "http" and parts.hostname not in LOCAL:
        raise RefusedError(
            f"the key would go to {parts.hostname} unencrypted; valid: https, a server on this machine, or an empty "
            "key_variable= for a server that wants no key"
        )
    return url.rstrip("/")


def error_text(content: bytes) -> str:
    """Return the message of a server's error, as OpenAI's and Google's formats carry it, or the text itself."""
    try:
        data = json.loads(content)
    except (ValueError, RecursionError):
        return content[:500].decode("utf-8", "replace") or "no text"
    error = data.get("error", data) if isinstance(data, dict) else data
    return str(error.get("message", error)) if isinstance(error, dict) else str(error)


def _place(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _wait(header: str, content: bytes) -> float:
    """Return how long the server asks to wait [s]: by Retry-After, or by `retryDelay` as Google's errors have it.

    0 for none and for a date, which the growing waits stand in for.
    """
    match = _NUMBER.fullmatch(header.strip()) or _RETRY_DELAY.search(content.decode("utf-8", "replace"))
    return min(float(match[1]), 3600.0) if match else 0.0
