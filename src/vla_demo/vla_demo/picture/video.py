# SPDX-License-Identifier: Apache-2.0
"""The video of a run, drawn and encoded after it: while the graph runs, nothing else is to load the machine."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import imageio_ffmpeg

from vla_demo.picture.drawing import HEIGHT, WIDTH, Scene, draw
from vla_demo.picture.pictures import Image, decode_jpeg
from vla_demo.run.samples import ControllerSample, Episode, Frame, Recording, between, latest

FPS = 10
BEFORE_S, AFTER_S = 0.3, 1.2  # shown before the first instruction and after the last episode
STALE_S = 1.0  # a chunk older than this is not shown as the present one


def write_video(recording: Recording, policy: str, path: Path, progress: Callable[[float], None]) -> int:
    """Write an H.264 video in real time at 10 frames a second; return their number. 0: nothing to show, no file."""
    times = frame_times(recording)
    if not times:
        return 0
    writer = imageio_ffmpeg.write_frames(
        str(path),
        (WIDTH, HEIGHT),
        fps=FPS,
        codec="libx264",
        pix_fmt_in="rgb24",
        pix_fmt_out="yuv420p",
        macro_block_size=2,
        quality=None,
        output_params=["-crf", "21", "-preset", "veryfast", "-movflags", "+faststart"],
        ffmpeg_log_level="error",
    )
    writer.send(None)
    for index, picture in enumerate(pictures(recording, policy, times)):
        writer.send(picture)
        progress((index + 1) / len(times))
    writer.close()
    return len(times)


def frame_times(recording: Recording) -> list[float]:
    """When the frames of the video are [s]: evenly, from the first instruction to after the last episode."""
    if not recording.episodes or not (recording.viewer or recording.policy_view):
        return []
    start = recording.episodes[0].first_start - BEFORE_S
    end = recording.episodes[-1].end + AFTER_S
    return [start + index / FPS for index in range(math.ceil((end - start) * FPS))]


def pictures(recording: Recording, policy: str, times: Sequence[float]) -> Iterator[Image]:
    """One picture (720, 1280, 3) RGB per time [s]."""
    views = _LastDecoded(), _LastDecoded()
    for time in times:
        viewer = views[0].get(latest(recording.viewer, time))
        policy_view = views[1].get(latest(recording.policy_view, time))
        yield draw(scene_at(recording, policy, time, viewer, policy_view))


def scene_at(recording: Recording, policy: str, time: float, viewer: Image | None, policy_view: Image | None) -> Scene:
    """What is shown at `time` [s]: only what was known then."""
    index = _episode_index(recording.episodes, time)
    episode = recording.episodes[index] if index is not None else None
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
        results=tuple(e.success if time >= e.end else None for e in recording.episodes),
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
