# SPDX-License-Identifier: Apache-2.0
"""Pictures of data sets, fitted as the policy sees them, or what a network's frozen part makes of them, on disk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from vla_core.files import replacing, write_text
from vla_perception.errors import ImageError
from vla_perception.image.fitting import fit_image

from vla_training.data.lerobot.episodes import read_pictures
from vla_training.data.lerobot.schema import DatasetError
from vla_training.data.recorded.binding import Binding
from vla_training.data.recorded.frames import SetFrames

FOLDER = "pictures"  # in the folder of the run
Transform = Callable[[NDArray[np.uint8]], NDArray[Any]]
REPORT_EVERY = 20  # episodes


def cached_pictures(
    run: Path,
    binding: Binding,
    frames: SetFrames,
    transform: Transform,
    dtype: DTypeLike,
    key: str,
    report: Callable[[str], None],
) -> NDArray[Any]:
    """Return a row for each frame, mapped from a file of the run, which is computed once.

    Args:
        run: the folder of the run.
        binding: the set, its camera's feature and how its pictures are fitted.
        frames: which frames.
        transform: of an episode's pictures (n, H, W, 3) to rows (n, ...).
        dtype: of the rows.
        key: changes with what `transform` depends on.
        report: is told how far it is.

    Raises:
        DatasetError: a picture is missing or damaged, with its episode and frame.
    """
    size = binding.camera.height_width
    assert size is not None
    shape = transform(np.zeros((1, *size, 3), np.uint8)).shape[1:]
    digest = _digest(binding, frames, key)
    base = run / FOLDER / f"{binding.listing.folder.name}-{digest[:12]}"
    path, note, whole = base.with_suffix(".bin"), base.with_suffix(".json"), (len(frames), *shape)
    if not note.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            rows = np.memmap(temporary, dtype, "w+", shape=whole)
            _fill(rows, binding, frames, transform, report)
            rows.flush()
        write_text(note, json.dumps({"set": str(binding.listing.folder), "digest": digest, "shape": whole}))
    return np.memmap(path, dtype, "r", shape=whole)


def _fill(
    rows: NDArray[Any], binding: Binding, frames: SetFrames, transform: Transform, report: Callable[[str], None]
) -> None:
    wanted = frames.pictures_wanted()
    for done, (number, images) in enumerate(read_pictures(binding.listing, binding.picture, wanted), 1):
        try:
            fitted = np.stack([fit_image(image, binding.camera) for image in images])
        except ImageError as error:
            raise DatasetError(f"{binding.listing.folder}, episode {number}: {error}") from error
        rows[frames.episode == number] = transform(fitted)
        if done % REPORT_EVERY == 0 or done == len(wanted):
            report(f"pictures of {binding.listing.folder}: {done} of {len(wanted)} episodes")


def _digest(binding: Binding, frames: SetFrames, key: str) -> str:
    """Changes with everything that the rows depend on, but for files that are rewritten with the same lengths."""
    about = (str(binding.listing.folder.resolve()), binding.picture, repr(binding.camera), key, len(frames))
    digest = hashlib.sha256(repr(about).encode())
    digest.update(frames.episode.tobytes() + frames.frame.tobytes() + frames.action.tobytes())
    return digest.hexdigest()
