# SPDX-License-Identifier: Apache-2.0
"""Any server with OpenAI's chat completions (vLLM, llama.cpp, Ollama, others), by what all of them take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vla_core.hosted.errors import DeclinedError, RefusedError, UnusableError
from vla_core.hosted.model import HostedModel, Meter, Request, count, read_key
from vla_core.hosted.picture import data_uri
from vla_core.hosted.transport import Answer, Transport, checked_url
from vla_core.settings import setting


@dataclass(frozen=True, slots=True)
class ChatOptions:
    """Which server and model, and how long and at what price it may answer. A key comes from the environment alone."""

    url: str = setting("http://localhost:8000/v1", "address of the server, up to /v1")
    model: str = setting("", "name of the model, as the server lists it")
    key_variable: str = setting("OPENAI_API_KEY", "environment variable of the key; empty: no key is sent")
    picture: bool = setting(True, "whether the picture is sent; false for models that read text alone")
    max_tokens: int = setting(2048, "tokens of a reply", 64, 65536)
    timeout: float = setting(60.0, "[s] for an answer, repeated requests included", 0.1, 600.0)
    retries: int = setting(2, "repeated requests after a fault that may pass", 0, 10)
    input_price: float = setting(0.0, "[USD] per million tokens read; 0: unknown", 0.0, 1000.0)
    output_price: float = setting(0.0, "[USD] per million tokens written; 0: unknown", 0.0, 1000.0)
    proxy: str = setting("", "address of an HTTP proxy")


class ChatModel(HostedModel):
    """A model behind chat completions. Temperature 0, one picture as data URI, the reply after a JSON schema."""

    def __init__(self, options: ChatOptions) -> None:
        """Prepare; nothing is sent. Raises RefusedError without a model's name or with an invalid address."""
        if not options.model:
            raise RefusedError("there is no model's name; valid is model=NAME, as the server lists it at /v1/models")
        key = read_key(options.key_variable)
        self._url = f"{checked_url(options.url, key)}/chat/completions"
        transport = Transport(options.timeout, options.retries, key, options.proxy)
        meter = Meter(options.input_price, options.output_price)
        super().__init__(transport, meter, options.model, options.key_variable or "the variable of key_variable=NAME")
        self._options = options

    def _send(self, request: Request) -> Answer:
        key = self._transport.secret
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return self._transport.post(self._url, headers, body(request, self._options))

    def _used(self, answer: Mapping[str, Any]) -> tuple[int, int]:
        usage = answer.get("usage")
        return count(usage, "prompt_tokens"), count(usage, "completion_tokens")

    def _reply(self, answer: Mapping[str, Any]) -> str:
        return _reply(answer)


def body(request: Request, options: ChatOptions) -> dict[str, Any]:
    """Return the body of a chat completion, in the fields that all of the servers take."""
    content: list[dict[str, Any]] = [{"type": "text", "text": request.prompt}]
    if request.picture is not None and options.picture:
        content.append({"type": "image_url", "image_url": {"url": data_uri(request.picture)}})
    schema = {"name": request.name, "strict": True, "schema": request.schema}
    return {
        "model": options.model,
        "messages": [{"role": "system", "content": request.system}, {"role": "user", "content": content}],
        "response_format": {"type": "json_schema", "json_schema": schema},
        "temperature": 0.0,
        "max_tokens": options.max_tokens,
    }


def _reply(data: Mapping[str, Any]) -> str:
    """Return the text of the first choice."""
    choices = data.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    message = first.get("message") if isinstance(first, dict) else None
    if not isinstance(first, dict) or not isinstance(message, dict):
        raise UnusableError("the server's answer has no choice with a message; valid is a chat completion")
    if message.get("refusal"):
        raise DeclinedError(f"the model declined: {' '.join(str(message['refusal']).split())[:160]}")
    if first.get("finish_reason") == "content_filter":
        raise DeclinedError("the model's reply was removed by a content filter")
    if first.get("finish_reason") == "length":
        raise UnusableError("the reply was cut off at max_tokens; valid is a shorter reply, or a larger max_tokens")
    if not isinstance(message.get("content"), str):
        raise UnusableError(f"the content is a {type(message.get('content')).__name__}; valid is a text of JSON")
    text: str = message["content"]
    return text
