# SPDX-License-Identifier: Apache-2.0
"""The interface of a hosted model: a request, its completion, and what all of them used."""

from __future__ import annotations

import json
import math
import os
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from vla_core.hosted.errors import RefusedError, UnreachableError, UnusableError
from vla_core.hosted.picture import Image
from vla_core.hosted.transport import Answer, Transport, error_text

_FENCE = re.compile(r"\s*```(?:json)?\s*\n(.*?)\n?\s*```\s*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Request:
    """One question. `system`: role and rules; `prompt`: the case; `schema`: JSON schema of the reply, called `name`."""

    system: str
    prompt: str
    name: str
    schema: Mapping[str, Any]
    picture: Image | None = None  # (H, W, 3) RGB


@dataclass(frozen=True, slots=True)
class Completion:
    """One reply. `value`: the JSON in it, of any form until a caller has checked it; `seconds`: until it was there."""

    value: object
    input_tokens: int = 0
    output_tokens: int = 0  # the model's thoughts included
    seconds: float = 0.0


@dataclass(slots=True)
class Meter:
    """What a model used since its start. Prices in USD per million tokens; 0: unknown."""

    input_price: float = 0.0
    output_price: float = 0.0
    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    seconds: list[float] = field(default_factory=list)  # [s] of the last 100 replies

    @property
    def cost(self) -> float:
        """Cost [USD]; NaN without prices."""
        if not (self.input_price or self.output_price):
            return math.nan
        return (self.input_tokens * self.input_price + self.output_tokens * self.output_price) / 1e6

    @property
    def latency(self) -> float:
        """Median time of a reply [s]; NaN before the first."""
        return sorted(self.seconds)[len(self.seconds) // 2] if self.seconds else math.nan

    def add(self, input_tokens: int, output_tokens: int, seconds: float) -> None:
        """Count a reply."""
        self.input_tokens += input_tokens
        self.output_tokens += output_tokens
        self.seconds = [*self.seconds, seconds][-100:]


class HostedModel(ABC):
    """A model behind an HTTP server. One request at a time."""

    def __init__(self, transport: Transport, meter: Meter, model: str, key_name: str) -> None:
        """Prepare; nothing is sent. `key_name`: the environment variable of the key, for messages."""
        self._transport, self.meter, self.model, self._key_name = transport, meter, model, key_name

    def complete(self, request: Request) -> Completion:
        """Send a request and return its completion.

        Raises:
            UnreachableError: no usable answer within the time limit.
            RefusedError: the key, the model or the request is refused.
            UnusableError: the reply holds no JSON value; DeclinedError where the model declined.
        """
        began = time.monotonic()
        self.meter.requests += 1
        answer = self._send(request)
        if answer.status != 200:
            self._refuse(answer)
        try:
            return self._completion(answer, began)
        except UnusableError as error:
            raise type(error)(self._transport.clean(error)) from None

    def _completion(self, answer: Answer, began: float) -> Completion:
        data = _loads(answer.content.decode("utf-8", "replace"), "the server's answer")
        data = data if isinstance(data, dict) else {}
        read, written = self._used(data)
        seconds = time.monotonic() - began
        self.meter.add(read, written, seconds)
        reply = self._reply(data)
        return Completion(_loads(reply, "the reply") if isinstance(reply, str) else reply, read, written, seconds)

    def close(self) -> None:
        """Let a request that waits for its repetition end."""
        self._transport.close()

    @abstractmethod
    def _send(self, request: Request) -> Answer:
        """Send the request in the server's format."""

    @abstractmethod
    def _used(self, answer: Mapping[str, Any]) -> tuple[int, int]:
        """Return the tokens read and written."""

    @abstractmethod
    def _reply(self, answer: Mapping[str, Any]) -> object:
        """Return the reply: a text of JSON, or the value itself. Raises UnusableError, DeclinedError."""

    def _refuse(self, answer: Answer) -> NoReturn:
        """Raise what a status other than 200 stands for."""
        said = self._transport.clean(error_text(answer.content))
        if answer.status in (401, 403) or b"API_KEY_INVALID" in answer.content:
            raise RefusedError(
                f"the server refuses the key (HTTP {answer.status}: {said}); valid is one in {self._key_name}"
            )
        if answer.status == 404:
            raise RefusedError(
                f"the server has no model {self.model!r} (HTTP 404: {said}); valid is a model=NAME of it"
            )
        if 400 <= answer.status < 500:
            raise RefusedError(f"the server does not take the request (HTTP {answer.status}: {said})")
        raise UnreachableError(f"the server answers with HTTP {answer.status}: {said}; valid is 200")


def read_key(*names: str) -> str:
    """Return the key in the first of the named environment variables that has one, else an empty text.

    Raises:
        RefusedError: a key with characters that no header can carry.
    """
    found = next((name for name in names if name and os.environ.get(name, "").strip()), "")
    key = os.environ[found].strip() if found else ""
    if not all("!" <= char <= "~" for char in key):
        raise RefusedError(f"the key in {found} has characters that no key has; valid: printable ASCII without spaces")
    return key


def count(usage: object, *names: str) -> int:
    """Return the sum of the named numbers of a server's usage; what is missing or no whole number counts as 0."""
    values = [usage.get(name) for name in names] if isinstance(usage, dict) else []
    return sum(value for value in values if isinstance(value, int) and not isinstance(value, bool) and value > 0)


def _loads(text: str, what: str) -> object:
    fenced = _FENCE.fullmatch(text)
    try:
        return json.loads(fenced[1] if fenced else text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        begin = text[:60].replace("\n", " ")
        raise UnusableError(
            f"{what} is no JSON: {begin!r} ({type(error).__name__}); valid is one JSON object"
        ) from error


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")
