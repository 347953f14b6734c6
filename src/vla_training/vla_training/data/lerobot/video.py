# SPDX-License-Identifier: Apache-2.0
"""Frames of a camera as H.264, and back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray

from vla_training.data.lerobot.schema import DatasetError

Images = NDArray[np.uint8]  # (T, H, W, 3) rgb
# Near lossless, and a key frame every second one: training reads single frames.
OPTIONS = ["-crf", "14", "-g", "2", "-pix_fmt", "yuv420p"]


def write_video(path: Path, parts: Sequence[Images], fps: int) -> None:
    """Write the frames of all `parts`, one after another. Height and width are even."""
    height, width = parts[0].shape[1:3]
    writer = imageio_ffmpeg.write_frames(
        str(path), (width, height), fps=fps, codec="libx264", macro_block_size=1, output_params=OPTIONS, quality=None
    )
    writer.send(None)
    try:
        for part in parts:
            for image in part:
                writer.send(np.ascontiguousarray(image))
    finally:
        writer.close()


def read_video(path: Path) -> Iterator[Images]:
    """Yield the frames (H, W, 3). Raises DatasetError for a file that is missing or damaged."""
    try:
        reader = imageio_ffmpeg.read_frames(str(path))
        width, height = next(reader)["size"]
        for data in reader:
            yield np.frombuffer(data, np.uint8).reshape(height, width, 3)
    except (OSError, RuntimeError, StopIteration, KeyError, ValueError) as error:
        raise DatasetError(f"{path} is missing or damaged: {str(error)[:200]}") from error
