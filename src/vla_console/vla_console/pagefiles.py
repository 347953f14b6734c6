# SPDX-License-Identifier: Apache-2.0
"""The files of the page as HTTP responses. They load nothing from anywhere else, and nothing may frame them."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path

from websockets.datastructures import Headers
from websockets.http11 import Response

FOLDER = Path(__file__).parent / "page"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class PageFiles:
    """The page, in memory."""

    def __init__(self, folder: Path = FOLDER) -> None:
        """Read every file of `folder`; index.html is the page itself."""
        self._files = {
            f"/{path.name}": (TYPES[path.suffix], path.read_bytes())
            for path in sorted(folder.iterdir())
            if path.suffix in TYPES
        }
        self._files["/"] = self._files["/index.html"]

    def respond(self, path: str) -> Response:
        """Return the response to a request for `path`; nothing but the page's files is there."""
        found = self._files.get(path.partition("?")[0])
        if found is None:
            return text_response(HTTPStatus.NOT_FOUND, "not found; the console is at /\n")
        kind, body = found
        return _response(HTTPStatus.OK, kind, body)


def text_response(status: HTTPStatus, text: str) -> Response:
    """Return a response with a line of text."""
    return _response(status, "text/plain; charset=utf-8", text.encode())


def _response(status: HTTPStatus, kind: str, body: bytes) -> Response:
    own = {"Content-Type": kind, "Content-Length": str(len(body)), "Connection": "close"}
    return Response(status.value, status.phrase, Headers({**HEADERS, **own}), body)
