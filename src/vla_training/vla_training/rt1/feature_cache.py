# SPDX-License-Identifier: Apache-2.0
"""What the frozen part of a network makes of a data set's pictures, computed once and kept beside the data.

DATA/features/KEY.bin holds a row a frame, in the order of the frames; KEY.json says how many are whole. A network that
freezes nothing has its decoded pictures kept instead.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from vla_core.files import write_text
from vla_policy.rt1.network import RT1Network

from vla_training.data.lerobot.reader import Dataset

FOLDER = "features"


class FeatureCache:
    """Makes and reads the cache of one data set for one network."""

    def __init__(self, dataset: Dataset, network: RT1Network) -> None:
        self._dataset, self._network = dataset, network
        self._frozen = network.config.frozen_blocks > 0
        self._dtype = np.dtype(np.float16 if self._frozen else np.uint8)
        blank = torch.zeros(1, *network.config.image_size, 3, dtype=torch.uint8)
        self._shape = tuple(network.early_features(blank).shape[1:]) if self._frozen else tuple(blank.shape[1:])
        self._base = dataset.folder / FOLDER / _key(network)

    def rows(self, report: Callable[[str], None]) -> NDArray[Any]:
        """(frames, ...) mapped from the file, after computing what is missing."""
        done = self._whole_episodes()
        path = self._base.with_suffix(".bin")
        path.parent.mkdir(exist_ok=True)
        with path.open("ab") as file:
            file.truncate(self._bytes(done))
            file.seek(0, os.SEEK_END)
            for data_file, rows in self._dataset.rows_by_file().items():
                left = [row for row in rows if row["episode_index"] >= done]
                for record in self._dataset.read_file(data_file, left) if left else ():
                    file.write(self._values(record.images).tobytes())
                if left:
                    file.flush()
                    done += len(left)
                    self._remember(done)
                    report(f"pictures of {self._dataset.folder}: {done} of {len(self._dataset.rows)} episodes encoded")
        return np.memmap(path, self._dtype, "r", shape=(self._dataset.frames, *self._shape))

    def _values(self, images: NDArray[np.uint8]) -> NDArray[Any]:
        if not self._frozen:
            return images
        return _features(self._network, images)

    def _bytes(self, episodes: int) -> int:
        frames = sum(row["length"] for row in self._dataset.rows[:episodes])
        return int(frames * math.prod(self._shape) * self._dtype.itemsize)

    def _whole_episodes(self) -> int:
        """Episodes whose rows are in the file, if they are the data set's first ones."""
        try:
            note = json.loads(self._base.with_suffix(".json").read_text(encoding="utf-8"))
            done = int(note["episodes"])
            long_enough = self._base.with_suffix(".bin").stat().st_size >= self._bytes(done)
            return done if long_enough and note["digest"] == self._digest(done) else 0
        except (OSError, ValueError, KeyError, TypeError):
            return 0

    def _digest(self, episodes: int) -> str:
        rows = [(row["seed"], row["length"], row["family"], row["object"]) for row in self._dataset.rows[:episodes]]
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()

    def _remember(self, episodes: int) -> None:
        note = json.dumps({"episodes": episodes, "digest": self._digest(episodes)})
        write_text(self._base.with_suffix(".json"), note)


def frozen_part(
    network: RT1Network,
) -> tuple[Callable[[NDArray[np.uint8]], NDArray[Any]], type, str, Callable[[torch.Tensor], torch.Tensor] | None]:
    """Return what makes of pictures (n, H, W, 3) the rows that are kept, their type, a key that changes with it, and
    what is still to be done with the rows, None where nothing is.
    """
    if not network.config.frozen_blocks:
        return (lambda images: images), np.uint8, _key(network), network.early_features
    return lambda images: _features(network, images), np.float16, _key(network), None


def _features(network: RT1Network, images: NDArray[np.uint8]) -> NDArray[Any]:
    return network.early_features(torch.from_numpy(images)).half().contiguous().numpy()


def _key(network: RT1Network) -> str:
    """Changes with everything that the early features depend on."""
    config, backbone = network.config, network.tokenizer.backbone
    digest = hashlib.sha256(repr((config.backbone, config.image_size, config.frozen_blocks)).encode())
    if config.frozen_blocks:
        for module in (backbone.stem_module(), *backbone.blocks[: config.frozen_blocks]):
            for value in module.state_dict().values():
                digest.update(value.detach().cpu().numpy().tobytes())
    return f"{config.backbone}-{digest.hexdigest()[:16]}"


class JoinedRows:
    """Rows of several arrays as if they stood in one file; implements training_data.Features."""

    def __init__(self, parts: Sequence[NDArray[Any]], early: Callable[[torch.Tensor], torch.Tensor] | None) -> None:
        """`early`: turns rows of pictures into features; None for rows that are features already."""
        self._parts, self._early = parts, early
        self._ends = np.cumsum([len(part) for part in parts])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, rows: NDArray[np.int64]) -> NDArray[np.float16]:
        first = self._parts[0]
        picked = np.empty((len(rows), *first.shape[1:]), first.dtype)
        which = np.searchsorted(self._ends, rows, side="right")
        for index in np.unique(which):
            here = which == index
            start = int(self._ends[index]) - len(self._parts[index])
            picked[here] = self._parts[index][rows[here] - start]
        if self._early is None:
            return picked
        return self._early(torch.from_numpy(picked)).half().contiguous().numpy()
