# SPDX-License-Identifier: Apache-2.0
"""A contact sheet: what a policy saw over an episode, as one picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from vla_core.files import replacing

Image = NDArray[np.uint8]
FRAMES, COLUMNS, TITLE = 12, 4, 20  # pictures, of which so many in a line; [px]


class Sheet:
    """Collects pictures at even distances without knowing how many there will be."""

    def __init__(self) -> None:
        """Begin with none."""
        self._frames: list[Image] = []
        self._every, self.count = 1, 0

    def add(self, image: Image) -> None:
        """Take a picture (H, W, 3) into account."""
        if self.count % self._every == 0:
            if len(self._frames) == 2 * FRAMES:  # from here on every other one
                self._frames = self._frames[::2]
                self._every *= 2
            if self.count % self._every == 0:
                self._frames.append(np.array(image))
        self.count += 1

    def picture(self, title: str) -> Image:
        """Return the sheet (H, W, 3) under a title, the first picture and the last among those shown."""
        import cv2

        frames = self._frames or [np.zeros((128, 160, 3), dtype=np.uint8)]
        shown = [frames[i] for i in np.unique(np.linspace(0, len(frames) - 1, FRAMES).astype(int))]
        shown += [np.zeros_like(frames[0])] * (-len(shown) % COLUMNS)
        lines = [np.concatenate(shown[i : i + COLUMNS], axis=1) for i in range(0, len(shown), COLUMNS)]
        head = np.full((TITLE, lines[0].shape[1], 3), 24, dtype=np.uint8)
        plain = title.encode("ascii", "replace").decode()
        cv2.putText(head, plain, (4, TITLE - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (235, 235, 235), 1, cv2.LINE_AA)
        return np.asarray(np.concatenate([head, *lines]), dtype=np.uint8)

    def save(self, path: Path, title: str) -> Path:
        """Write the sheet as a PNG; returns its path."""
        import cv2

        with replacing(path) as temporary:
            temporary.write_bytes(cv2.imencode(".png", self.picture(title)[:, :, ::-1])[1].tobytes())
        return path
