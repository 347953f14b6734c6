# SPDX-License-Identifier: Apache-2.0
"""A server on this machine that speaks the documented formats of Gemini and of chat completions, faults included.

For tests and benchmarks: it stands in for the model, not for the network, so that all of the client runs.
"""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "key-of-the-stub"
_GEMINI = re.compile(r"/v1(?:beta)?/models/([^/:]+):generateContent")


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as the server received it."""

    path: str
    headers: Mapping[str, str]
    body: dict[str, Any]
    number: int  # from 0

    @property
    def gemini(self) -> bool:
        """Whether it came in Gemini's format."""
        return _GEMINI.fullmatch(self.path) is not None

    @property
    def model(self) -> str:
        """Name of the model that was asked for."""
        match = _GEMINI.fullmatch(self.path)
        return match[1] if match else str(self.body.get("model"))

    @property
    def prompt(self) -> str:
        """The text of the question."""
        parts = self.body["contents"][0]["parts"] if self.gemini else self.body["messages"][1]["content"]
        return "\n".join(part["text"] for part in parts if "text" in part)

    @property
    def schema(self) -> dict[str, Any]:
        """JSON schema that the reply is to match."""
        if not self.gemini:
            found = self.body["response_format"]["json_schema"]["schema"]
        elif "tools" in self.body:
            found = self.body["tools"][0]["functionDeclarations"][0]["parametersJsonSchema"]
        else:
            found = self.body["generationConfig"]["responseJsonSchema"]
        return dict(found)


@dataclass(frozen=True, slots=True)
class Said:
    """What the server does with a request.

    text: the model's reply; fault: empty, cut (the connection ends in the middle), silent (no answer for `delay`),
    limit (the reply ended at its token limit) or declined; status: of HTTP; retry_after: [s]; delay: before it [s].
    """

    text: str = "{}"
    fault: str = ""
    status: int = 200
    retry_after: str = ""
    delay: float = 0.0
    message: str = "error of the stub"
    retry_delay: str = ""  # as Google's errors have it, for example 30s


@dataclass(slots=True)
class Stub:
    """A running server."""

    url: str
    answer: Callable[[Asked], Said]
    key: str = KEY  # empty: none is wanted
    models: tuple[str, ...] = ("stub", "gemini-robotics-er-2-preview")
    asked: list[Asked] = field(default_factory=list)

    def reply(self, asked: Asked) -> Said:
        """Return what the server does with a request: key and model first, as the real ones do."""
        given = asked.headers.get("x-goog-api-key" if asked.gemini else "authorization", "")
        if self.key and given.removeprefix("Bearer ") != self.key:
            return Said(status=400 if asked.gemini else 401, message="API_KEY_INVALID: API key not valid.")
        if asked.model not in self.models:
            return Said(status=404, message=f"models/{asked.model} is not found")
        return self.answer(asked)


def gemini_body(said: Said, functions: str = "") -> dict[str, Any]:
    """Return the body of a `generateContent` reply. `functions`: name of the function to call, empty: a text."""
    part: dict[str, Any] = {"text": said.text}
    if functions and (arguments := _json_of(said.text)) is not None:  # prose is not a call
        part = {"functionCall": {"name": functions, "args": arguments}}
    reason = {"limit": "MAX_TOKENS", "declined": "SAFETY"}.get(said.fault, "STOP")
    return {
        "candidates": [{"content": {"parts": [part], "role": "model"}, "finishReason": reason, "index": 0}],
        "usageMetadata": {"promptTokenCount": 900, "candidatesTokenCount": 40, "thoughtsTokenCount": 60},
    }


def _json_of(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def chat_body(said: Said) -> dict[str, Any]:
    """Return the body of a chat completion."""
    declined = said.fault == "declined"
    message = {"role": "assistant", "content": None if declined else said.text}
    if declined:
        message["refusal"] = "I cannot help with that."
    reason = "length" if said.fault == "limit" else "stop"
    return {
        "object": "chat.completion",
        "choices": [{"index": 0, "message": message, "finish_reason": reason}],
        "usage": {"prompt_tokens": 900, "completion_tokens": 100, "total_tokens": 1000},
    }


@contextmanager
def serving(answer: Callable[[Asked], Said], key: str = KEY, port: int = 0) -> Iterator[Stub]:
    """Run a server on 127.0.0.1 whose model answers by `answer`. `port`: 0 takes a free one."""
    stub = Stub("", answer, key)
    with _Server(("127.0.0.1", port), _Handler) as server:
        server.stub = stub
        stub.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield stub
        finally:
            server.shutdown()
            thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads, block_on_close = True, False
    stub: Stub


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        assert isinstance(self.server, _Server)
        stub = self.server.stub
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.path, headers, body, len(stub.asked))
        stub.asked.append(asked)
        said = stub.reply(asked)
        time.sleep(said.delay)
        with suppress(OSError):
            self._send(asked, said)

    def _send(self, asked: Asked, said: Said) -> None:
        if said.status != 200:
            details = [{"retryDelay": said.retry_delay}] if said.retry_delay else []
            body: dict[str, Any] = {"error": {"code": said.status, "message": said.message, "details": details}}
        elif asked.gemini:
            called = asked.body["tools"][0]["functionDeclarations"][0]["name"] if "tools" in asked.body else ""
            body = gemini_body(said, called)
        else:
            body = chat_body(said)
        data = json.dumps(body).encode()
        self.send_response(said.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if said.retry_after:
            self.send_header("Retry-After", said.retry_after)
        self.end_headers()
        if said.fault == "cut":
            self.wfile.write(data[: len(data) // 2])
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
        elif said.fault != "silent":
            self.wfile.write(data)

    def log_message(self, format: str, *arguments: object) -> None:
        """Write no log."""
