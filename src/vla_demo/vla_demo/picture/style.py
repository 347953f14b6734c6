# SPDX-License-Identifier: Apache-2.0
"""Colours and fonts of the pictures, the same in the video and in the plots."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import matplotlib
from PIL import ImageFont

Color = tuple[int, int, int]  # RGB, 0..255

BACKGROUND: Color = (17, 20, 26)
PANEL: Color = (28, 33, 41)
LINE: Color = (58, 66, 78)
TEXT: Color = (236, 239, 244)
FAINT: Color = (148, 158, 172)
GOOD: Color = (92, 200, 130)
BAD: Color = (235, 105, 100)
BUSY: Color = (96, 165, 250)

FAMILY_COLORS: dict[str, str] = {"pick": "#4c9be8", "place": "#9b7fe6", "near": "#2fb5a0", "push": "#e8a13c"}
OTHER_COLOR = "#8a93a3"


@cache
def font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """The font that comes with matplotlib, at `size` pixels."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(str(Path(matplotlib.get_data_path(), "fonts", "ttf", name)), size)


def mix(low: Color, high: Color, share: float) -> Color:
    """The colour between `low` (share 0) and `high` (share 1)."""
    share = min(1.0, max(0.0, share))
    return (
        round(low[0] + share * (high[0] - low[0])),
        round(low[1] + share * (high[1] - low[1])),
        round(low[2] + share * (high[2] - low[2])),
    )
