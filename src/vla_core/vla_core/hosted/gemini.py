# SPDX-License-Identifier: Apache-2.0
"""Google's Gemini by its REST interface (`models/NAME:generateContent`), whose fields google-genai sends as well."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vla_core.hosted.errors import DeclinedError, RefusedError, UnusableError
from vla_core.hosted.model import HostedModel, Meter, Request, count, read_key
from vla_core.hosted.picture import base64_png
from vla_core.hosted.transport import Answer, Transport, checked_url
from vla_core.settings import setting

KEYS = ("GEMINI_API_KEY", "GOOGLE_API_KEY")
LEVELS = ("", "minimal", "low", "medium", "high", "xhigh")
FORMS = ("schema", "functions")


@dataclass(frozen=True, slots=True)
class GeminiOptions:
    """Which model, and how long and at what price it may answer. The key comes from the environment alone."""

    model: str = setting("gemini-robotics-er-2-preview", "name of the model")
    url: str = setting("https://generativelanguage.googleapis.com", "address of the server")
    api_version: str = setting("v1", "of the REST interface", choices=("v1", "v1beta"))
    form: str = setting("schema", "of the reply: JSON after a schema, or the call of a function", choices=FORMS)
    thinking: str = setting("low", "level of thinking; empty: the model's own", choices=LEVELS)
    max_tokens: int = setting(4096, "tokens of a reply, thoughts included", 64, 65536)
    timeout: float = setting(30.0, "[s] for an answer, repeated requests included", 0.1, 600.0)
    retries: int = setting(2, "repeated requests after a fault that may pass", 0, 10)
    input_price: float = setting(0.0, "[USD] per million tokens read; 0: unknown", 0.0, 1000.0)
    output_price: float = setting(0.0, "[USD] per million tokens written; 0: unknown", 0.0, 1000.0)
    proxy: str = setting("", "address of an HTTP proxy")


class GeminiModel(HostedModel):
    """A Gemini model. Temperature 0, one picture, the reply after a JSON schema."""

    def __init__(self, options: GeminiOptions) -> None:
        """Prepare; nothing is sent. Raises RefusedError without a key or with an invalid address or name."""
        key = read_key(*KEYS)
        if not key:
            raise RefusedError(f"there is no key for Gemini; valid is one in {' or '.join(KEYS)}")
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", options.model):
            raise RefusedError(f"model is {options.model[:80]!r}; valid is for example gemini-robotics-er-2-preview")
        transport = Transport(options.timeout, options.retries, key, options.proxy)
        meter = Meter(options.input_price, options.output_price)
        super().__init__(transport, meter, options.model, " or ".join(KEYS))
        base = checked_url(options.url, key)
        self._url = f"{base}/{options.api_version}/models/{options.model}:generateContent"
        self._options = options

    def _send(self, request: Request) -> Answer:
        headers = {"x-goog-api-key": self._transport.secret}
        return self._transport.post(self._url, headers, body(request, self._options))

    def _used(self, answer: Mapping[str, Any]) -> tuple[int, int]:
        usage = answer.get("usageMetadata")
        return count(usage, "promptTokenCount"), count(usage, "candidatesTokenCount", "thoughtsTokenCount")

    def _reply(self, answer: Mapping[str, Any]) -> object:
        return _reply(answer, self._options.form)


def body(request: Request, options: GeminiOptions) -> dict[str, Any]:
    """Return the body of a `generateContent` request."""
    parts: list[dict[str, Any]] = [{"text": request.prompt}]
    if request.picture is not None:
        parts.insert(0, {"inlineData": {"mimeType": "image/png", "data": base64_png(request.picture)}})
    config: dict[str, Any] = {"temperature": 0.0, "maxOutputTokens": options.max_tokens}
    if options.thinking:
        config["thinkingConfig"] = {"thinkingLevel": options.thinking.upper()}
    made: dict[str, Any] = {
        "contents": [{"role": "user", "parts": parts}],
        "systemInstruction": {"parts": [{"text": request.system}]},
        "generationConfig": config,
    }
    if options.form == "functions":
        function = {"name": request.name, "description": "Give the reply.", "parametersJsonSchema": request.schema}
        calling = {"mode": "ANY", "allowedFunctionNames": [request.name]}
        return {
            **made,
            "tools": [{"functionDeclarations": [function]}],
            "toolConfig": {"functionCallingConfig": calling},
        }
    config |= {"responseMimeType": "application/json", "responseJsonSchema": request.schema}
    return made


def _reply(data: Mapping[str, Any], form: str) -> object:
    """Return the text or the function's arguments of the first candidate."""
    blocked = _member(data.get("promptFeedback"), "blockReason")
    if blocked:
        raise DeclinedError(f"the model declined the request: {str(blocked)[:60]}")
    candidates = data.get("candidates")
    first = candidates[0] if isinstance(candidates, list) and candidates else None
    reason = str(_member(first, "finishReason") or "STOP")
    if reason == "MAX_TOKENS":
        raise UnusableError("the reply was cut off at max_tokens; valid is a shorter reply, or a larger max_tokens")
    if reason != "STOP":
        raise DeclinedError(f"the model ended with {reason[:60]}; valid is STOP")
    parts = _member(_member(first, "content"), "parts")
    listed = [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
    if form == "functions":
        calls = [call for part in listed if isinstance(call := part.get("functionCall"), dict)]
        if len(calls) != 1:
            raise UnusableError(f"the reply calls {len(calls)} functions; valid is one call")
        return calls[0].get("args", {})
    texts = [part["text"] for part in listed if isinstance(part.get("text"), str) and not part.get("thought")]
    if not texts:
        raise UnusableError("the reply has no text; valid is one JSON object")
    return "".join(texts)


def _member(value: object, name: str) -> object:
    return value.get(name) if isinstance(value, dict) else None
