# SPDX-License-Identifier: Apache-2.0
"""Images of the past, for policies that see more than the newest one."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]


class ImageHistory:
    """Keeps the images of as many observations as the offsets reach back."""

    def __init__(self, offsets_s: Sequence[float]) -> None:
        """offsets_s: times of the images relative to the newest [s], rising, ending in 0."""
        self._offsets_s = tuple(offsets_s)
        self._kept: deque[tuple[float, Mapping[str, Image]]] = deque()

    def clear(self) -> None:
        """Forget all images."""
        self._kept.clear()

    def add(self, stamp: float, images: Mapping[str, Image]) -> dict[str, Image]:
        """Return for each key the images (t, h, w, 3) at the offsets: the nearest ones, the oldest where there is none.

        stamp: of these images [s]; a step back empties the history.
        """
        if self._kept and stamp <= self._kept[-1][0]:
            self._kept.clear()
        self._kept.append((stamp, images))
        while len(self._kept) > 2 and self._kept[1][0] <= stamp + self._offsets_s[0]:
            self._kept.popleft()
        chosen = [min(self._kept, key=lambda kept: abs(kept[0] - stamp - offset))[1] for offset in self._offsets_s]
        return {key: np.stack([past[key] for past in chosen]) for key in images}
