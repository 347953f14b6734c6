# SPDX-License-Identifier: Apache-2.0
"""`vla data view`: a contact sheet of a data set as a picture: a line for each episode and camera, frames in a row."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vla_training.run.arguments import Parser, positive

if TYPE_CHECKING:
    from vla_training.data.lerobot.listing import Listing

Image = NDArray[np.uint8]
TITLE, MARGIN = 18, 4  # [px]
INK, PAPER = (235, 235, 235), 24


def sheet(listing: Listing, episodes: Sequence[int], frames: int, height: int) -> Image:
    """Return the contact sheet (H, W, 3), `frames` of each episode, each `height` [px] high. Raises DatasetError."""
    from vla_training.data.lerobot.episodes import read_pictures

    rows = {int(row["episode_index"]): row for row in listing.rows}
    wanted = {number: _spread(int(rows[number]["length"]), frames) for number in episodes}
    lines: dict[tuple[int, str], Image] = {}
    for key in listing.pictures:
        for number, images in read_pictures(listing, key, wanted):
            length, task = rows[number]["length"], "; ".join(listing.texts(rows[number])) or "no task"
            camera = key.removeprefix("observation.images.")
            title = f"episode {number}  {camera}  {length} frames, {length / listing.fps:.1f} s  {task}"
            lines[number, key] = _line([_scaled(image, height) for image in images], title)
    width = max(line.shape[1] for line in lines.values())
    ordered = [lines[number, key] for number in episodes for key in listing.pictures]
    return np.concatenate([np.pad(each, ((0, 0), (0, width - each.shape[1]), (0, 0))) for each in ordered])


def _spread(length: int, frames: int) -> NDArray[np.int64]:
    return np.unique(np.linspace(0, length - 1, min(frames, length)).astype(np.int64))


def _scaled(image: Image, height: int) -> Image:
    import cv2

    width = max(1, round(image.shape[1] * height / image.shape[0]))
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _line(images: Sequence[Image], title: str) -> Image:
    """Images side by side under a title."""
    import cv2

    height = images[0].shape[0]
    width = sum(image.shape[1] + MARGIN for image in images)
    line = np.full((TITLE + height + MARGIN, width, 3), PAPER, dtype=np.uint8)
    at = 0
    for image in images:
        line[TITLE : TITLE + height, at : at + image.shape[1]] = image
        at += image.shape[1] + MARGIN
    plain = title.encode("ascii", "replace").decode()
    cv2.putText(line, plain, (2, TITLE - 5), cv2.FONT_HERSHEY_SIMPLEX, 0.42, INK, 1, cv2.LINE_AA)
    return line


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `vla data view`; returns the exit status."""
    parser = Parser(prog="vla data view", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", type=Path, metavar="SET", help="folder of the data set")
    parser.add_argument("--out", type=Path, default=Path("out/sheet.png"), help="picture (default %(default)s)")
    parser.add_argument("--episodes", nargs="+", default=[], metavar="N|A-B", help="which (default: the first 12)")
    parser.add_argument("--frames", type=positive, default=8, help="of each episode (default 8)")
    parser.add_argument("--height", type=positive, default=96, help="of a frame [px] (default 96)")
    options = parser.parse_args(argv)
    import cv2
    from vla_core.files import replacing

    from vla_training.data.lerobot.listing import open_listing
    from vla_training.data.lerobot.schema import DatasetError
    from vla_training.data.tools.assembly import numbers_of
    from vla_training.data.tools.split import episodes_of

    listing = open_listing(options.set)
    if not listing.rows or not listing.pictures:
        raise DatasetError(
            f"{options.set} has {len(listing.rows)} episodes, cameras {listing.pictures}; nothing to see"
        )
    known = list(numbers_of(listing))
    drawn = sheet(listing, episodes_of(options.episodes, known) or known[:12], options.frames, options.height)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with replacing(options.out) as temporary:
        temporary.write_bytes(cv2.imencode(".png", drawn[:, :, ::-1])[1].tobytes())
    print(options.out)
    return 0
