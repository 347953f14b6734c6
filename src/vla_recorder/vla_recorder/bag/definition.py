# SPDX-License-Identifier: Apache-2.0
"""Definitions of messages as `ros2msg` schemas have them: the text of a .msg file, then those of its fields' types."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from vla_recorder.errors import RecordingError

SEPARATOR = "=" * 80
PRIMITIVE = re.compile(r"(bool|byte|char|float32|float64|u?int(8|16|32|64)|w?string)\b")
FIELD = re.compile(r"^([A-Za-z][\w/]*)(<=\d+)?(\[[^\]]*\])?\s+[A-Za-z]\w*")


def message_definition(type_name: str, share: Callable[[str], Path]) -> str:
    """Return the definition of a type such as `sensor_msgs/msg/Image`.

    share: the share folder of a package, where its .msg files lie in `msg`.

    Raises:
        RecordingError: the file of the type, or of a type that it contains, is not there.
    """
    texts: dict[str, str] = {}
    waiting = [type_name]
    while waiting:
        name = waiting.pop(0)
        if name not in texts:
            texts[name] = _text(name, share)
            waiting += _contained(texts[name], name.split("/")[0])
    first, *others = texts
    parts = [f"{SEPARATOR}\nMSG: {_short(name)}\n{texts[name]}" for name in others]
    return "\n".join([texts[first], *parts])


def _short(name: str) -> str:
    package, _, base = name.split("/")
    return f"{package}/{base}"


def _text(name: str, share: Callable[[str], Path]) -> str:
    parts = name.split("/")
    if len(parts) != 3 or parts[1] != "msg":
        raise RecordingError(f"type {name!r} is no message; valid: package/msg/Name")
    try:
        return (share(parts[0]) / "msg" / f"{parts[2]}.msg").read_text(encoding="utf-8")
    except (OSError, LookupError) as error:
        raise RecordingError(f"no definition of {name}: {error}") from error


def _contained(text: str, package: str) -> list[str]:
    """Full names of the types of the fields in a .msg text."""
    found = []
    for line in text.splitlines():
        match = FIELD.match(line.split("#")[0].strip())
        if match and not PRIMITIVE.fullmatch(match[1]):
            parts = match[1].split("/")
            owner = parts[0] if len(parts) > 1 else package
            found.append(f"{owner}/msg/{parts[-1]}")
    return found
