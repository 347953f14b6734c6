# SPDX-License-Identifier: Apache-2.0
"""What the video of a run shows at a time: only what was known then."""

from __future__ import annotations

import math
from collections.abc import Sequence

from vla_demo.picture.drawing import Scene
from vla_demo.picture.pictures import Image, decode_jpeg
from vla_demo.run.samples import ControllerSample, Episode, Frame, Recording, between, latest

FPS = 10
BEFORE_S, AFTER_S = 0.3, 1.2  # shown before the first instruction and after the last episode
STALE_S = 1.0  # a chunk older than this is not shown as the present one


def scene_at(
    recording: Recording,
    policy: str,
    time: float,
    viewer: Image | None,
    policy_view: Image | None,
    episodes: Sequence[Episode] | None = None,
    count: int | None = None,
) -> Scene:
    """Return what is shown at `time` [s].

    `episodes`, by default those of the recording, may end with one that still runs; `count`: how many there will be.
    """
    episodes = recording.episodes if episodes is None else episodes
    index = _episode_index(episodes, time)
    episode = episodes[index] if index is not None else None
    instruction, start, replaced = _spoken(episode, time)
    chunk = latest(recording.chunks, time)
    fresh = chunk is not None and episode is not None and time - chunk.stamp < STALE_S and chunk.stamp >= start
    status, tick, task = (latest(samples, time) for samples in (recording.policy, recording.controller, recording.task))
    return Scene(
        viewer=viewer,
        policy_view=policy_view,
        instruction=instruction,
        replaced=replaced,
        number=0 if index is None else index + 1,
        results=(
            *(e.success if time >= e.end else None for e in episodes),
            *(None for _ in range(len(episodes), count or 0)),
        ),
        elapsed=0.0 if episode is None else max(0.0, min(time, episode.end) - start),
        outcome=episode.success if episode is not None and time >= episode.end else None,
        chunk=chunk if fresh else None,
        policy=policy,
        policy_hz=getattr(status, "rate", math.nan),
        controller_hz=recent_rate(recording.controller, time),
        controller_state=getattr(tick, "state", ""),
        real_time_factor=getattr(task, "real_time_factor", math.nan),
    )


def recent_rate(ticks: Sequence[ControllerSample], time: float, window: float = 2.0) -> float:
    """Ticks per second [Hz] of the controller over the last `window` [s], from the periods it measured."""
    periods = [tick.tick_period for tick in between(ticks, time - window, time) if tick.tick_period > 0]
    return len(periods) / sum(periods) if periods else math.nan


def _episode_index(episodes: Sequence[Episode], time: float) -> int | None:
    """The episode that is shown at `time`: the one that runs, or has just ended."""
    for index, episode in enumerate(episodes):
        following = episodes[index + 1].first_start if index + 1 < len(episodes) else math.inf
        if episode.first_start <= time < min(following, episode.end + AFTER_S):
            return index
    return None


def _spoken(episode: Episode | None, time: float) -> tuple[str, float, str]:
    """The instruction in force at `time`, when it was given, and the one it replaced."""
    if episode is None:
        return "", math.inf, ""
    if episode.replaced and time < episode.start:
        return episode.replaced, episode.replaced_start, ""
    return episode.instruction, episode.start, episode.replaced


class Views:
    """The pictures of the outside camera and of the policy at a time."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._views = _LastDecoded(), _LastDecoded()

    def at(self, time: float) -> tuple[Image | None, Image | None]:
        """Return the latest pictures at `time` [s], RGB."""
        viewer, policy = self._views
        recording = self._recording
        return viewer.get(latest(recording.viewer, time)), policy.get(latest(recording.policy_view, time))


class _LastDecoded:
    """Decodes a frame once, however often it is shown."""

    def __init__(self) -> None:
        self._frame: Frame | None = None
        self._image: Image | None = None

    def get(self, frame: Frame | None) -> Image | None:
        """The picture of `frame`."""
        if frame is not None and frame is not self._frame:
            self._frame, self._image = frame, decode_jpeg(frame)
        return self._image if frame is not None else None
