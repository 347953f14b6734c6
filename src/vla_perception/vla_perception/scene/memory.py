# SPDX-License-Identifier: Apache-2.0
"""What was seen and is hidden now: under the hand, or under another block in the bowl."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from vla_perception.scene.detector import Detection

FORGET_AFTER = 25.0  # [s] without a sight, where nothing can be hiding the object
_HAND_HIDES = 0.16  # [m] from the tool centre point within which the hand may hide an object
_CONTAINER, _CONTAINER_HIDES = "bowl", 0.08
_FADE = 20.0  # [s] in which the confidence of a hidden object falls to a half


class SceneMemory:
    """Keeps the latest sight of each object. Time is passed in."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[Detection, float]] = {}
        self._missed_since: dict[str, float] = {}

    def reset(self) -> None:
        """Forget everything."""
        self._seen.clear()
        self._missed_since.clear()

    def update(
        self,
        detections: Iterable[Detection],
        now: float,
        tool: tuple[float, float, float] | None = None,
        held: str = "",
    ) -> tuple[Detection, ...]:
        """Take what is seen at `now` [s] and return it with what is hidden; `held` is carried along with the tool."""
        current = {detection.name: detection for detection in detections}
        for name, detection in current.items():
            self._seen[name] = (detection, now)
            self._missed_since.pop(name, None)
        hidden: list[Detection] = []
        for name in [n for n in self._seen if n not in current]:
            detection, seen = self._seen[name]
            if name == held and tool is not None:
                detection = replace(detection, position=tool)
                self._seen[name] = (detection, now)
            since = self._missed_since.setdefault(name, now)
            may_be_hidden = self._may_be_hidden(detection, tool, current)
            if may_be_hidden:
                self._missed_since[name] = now
            elif now - since > 1.0:  # it would be seen there
                del self._seen[name], self._missed_since[name]
                continue
            if now - seen > FORGET_AFTER and not self._in_container(detection):
                del self._seen[name]
                continue
            hidden.append(replace(detection, confidence=detection.confidence * 0.5 ** ((now - seen) / _FADE)))
        return (*current.values(), *hidden)

    def _may_be_hidden(
        self, detection: Detection, tool: tuple[float, float, float] | None, current: dict[str, Detection]
    ) -> bool:
        near_hand = tool is not None and _apart(detection.position, tool) < _HAND_HIDES
        return near_hand or self._in_container(detection)

    def _in_container(self, detection: Detection) -> bool:
        bowl = self._seen.get(_CONTAINER)
        inside = bowl is not None and _apart(detection.position, bowl[0].position) < _CONTAINER_HIDES
        return inside and detection.name != _CONTAINER


def _apart(a: tuple[float, float, float], b: tuple[float, float, float]) -> float:
    return float(((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2) ** 0.5)
