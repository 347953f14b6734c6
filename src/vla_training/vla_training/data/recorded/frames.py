# SPDX-License-Identifier: Apache-2.0
"""The frames of one bound data set at the policy's rate: state, composed action, task, and where their pictures are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from vla_core.observation_map.part import Part, PartKind

from vla_training.data.lerobot.episodes import EpisodeFrames, read_frames
from vla_training.data.lerobot.schema import DatasetError
from vla_training.data.recorded.binding import Binding
from vla_training.data.recorded.resampling import composed, kept_frames

ENDING_S = 0.6  # [s] before the end of a success that count as finished, where nobody recorded that


@dataclass(frozen=True, slots=True, eq=False)
class SetFrames:
    """N frames of a set, episode after episode."""

    state: NDArray[np.float64]  # (N, p)
    action: NDArray[np.float64]  # (N, d)
    texts: tuple[str, ...]  # N tasks
    episode: NDArray[np.int64]  # (N,) the set's own numbers
    frame: NDArray[np.int64]  # (N,) in the episode, before resampling

    def __len__(self) -> int:
        return len(self.texts)

    def pictures_wanted(self) -> dict[int, NDArray[np.int64]]:
        """Return the frames of each episode whose pictures are needed."""
        return {int(number): self.frame[self.episode == number] for number in np.unique(self.episode)}


def read_set(binding: Binding, skip_faulty: bool, report: Callable[[str], None]) -> SetFrames:
    """Read a set. A faulty episode raises its DatasetError, or is reported and left out where that was asked for."""
    keys = [*binding.state, binding.action]
    parts: list[SetFrames] = []
    for episode in read_frames(binding.listing, keys):
        if isinstance(episode, DatasetError):
            if not skip_faulty:
                raise DatasetError(f"{episode}; --skip-faulty leaves such episodes out")
            report(f"left out: {episode}")
            continue
        parts.append(_resampled(binding, episode))
    if not parts:
        raise DatasetError(f"{binding.listing.folder}: no episode is left")
    return SetFrames(
        state=np.concatenate([part.state for part in parts]),
        action=np.concatenate([part.action for part in parts]),
        texts=tuple(text for part in parts for text in part.texts),
        episode=np.concatenate([part.episode for part in parts]),
        frame=np.concatenate([part.frame for part in parts]),
    )


def _resampled(binding: Binding, episode: EpisodeFrames) -> SetFrames:
    count, observation_map = len(episode), binding.observation_map
    kept = kept_frames(count, binding.listing.fps, binding.rate)
    columns = [episode.columns[key] for key in binding.state]
    state = np.column_stack(columns)[kept] if columns else np.zeros((len(kept), 0))
    whole = observation_map.action if observation_map is not None else None
    action = composed(episode.columns[binding.action], kept, whole)
    for part, first in _terminates(whole.parts if whole else ()):
        if episode.success and not (action[:, first] > part.threshold).any():
            action[max(1, len(kept) - max(1, round(ENDING_S * binding.rate))) :, first] = part.threshold + 1.0
    texts = tuple(episode.texts[i] for i in kept)
    return SetFrames(state, action, texts, np.full(len(kept), episode.number), kept)


def _terminates(parts: tuple[Part, ...]) -> list[tuple[Part, int]]:
    """The part that says that the task is finished, with its column."""
    starts = np.cumsum([0, *(part.width for part in parts)])
    return [(part, int(first)) for part, first in zip(parts, starts, strict=False) if part.part is PartKind.TERMINATE]
