# SPDX-License-Identifier: Apache-2.0
"""Models that a server hosts: a request with a picture and a schema out, one checked JSON value back."""

from vla_core.lazy import lazy_exports

__getattr__, __all__ = lazy_exports(
    __name__,
    {
        "chat": ("ChatModel", "ChatOptions"),
        "errors": ("DeclinedError", "HostedError", "RefusedError", "UnreachableError", "UnusableError"),
        "gemini": ("GeminiModel", "GeminiOptions"),
        "model": ("Completion", "HostedModel", "Meter", "Request"),
        "picture": ("data_uri", "encode_png"),
    },
)
