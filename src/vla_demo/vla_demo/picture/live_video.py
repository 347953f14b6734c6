# SPDX-License-Identifier: Apache-2.0
"""The video, drawn and encoded while the run continues, by a thread that yields to everything else."""

from __future__ import annotations

import math
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import imageio_ffmpeg

from vla_demo.picture.drawing import HEIGHT, WIDTH, Scene, draw
from vla_demo.picture.video import AFTER_S, BEFORE_S, FPS, Views, scene_at
from vla_demo.run.samples import Episode, Recording
from vla_demo.run.session import Current

LAG_S = 1.5  # [s] behind the run: an episode is judged, and late pictures have arrived, within that
LATEST_S = 20.0  # [s] a picture that is later than that is not waited for
NICE = 15  # the recorder and the graph come first
_POLL = 0.1  # [s]


class LiveVideo:
    """An H.264 video in real time, 10 frames a second. `start` draws along with the run, `finish` draws the rest."""

    def __init__(
        self, recording: Recording, policy: str, count: int, path: Path, now: Callable[[], float] = time.time
    ) -> None:
        """`count`: how many episodes there will be; `path`: of the file; `now`: the clock of the recording [s]."""
        self._recording, self._policy, self._count, self._path, self._now = recording, policy, count, path, now
        self._partial = path.with_name(f".{path.name}.part.mp4")
        self._current: Episode | None = None
        self._views = Views(recording)
        self._writer: Generator[None, Any, None] | None = None
        self._begun: float | None = None  # [s] time of the first frame
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self.frames = 0
        self.error = ""

    def start(self) -> None:
        """Begin to draw along with the run."""
        self._thread = threading.Thread(target=self._run, name="video", daemon=True)
        self._thread.start()

    def show(self, current: Current | None) -> None:
        """Take what runs now: an instruction and when it was given, or None between two."""
        if current is None:
            return
        before = self._current
        first = before.first_start if before and before.seed == current.number else current.start
        self._current = Episode(
            current.instruction, "", current.number, False, current.start, math.inf, current.replaced, first
        )
        if self._begun is None:
            self._begun = first - BEFORE_S

    def finish(self, progress: Callable[[float], None] = lambda share: None) -> int:
        """Draw the rest and close the file; return the number of frames. 0: nothing to show, no file."""
        self._stopping.set()
        if self._thread is not None:
            while self._thread.is_alive():
                self._thread.join(2 * _POLL)
                progress(self._share())
        episodes = self._recording.episodes
        if episodes and not self.error:
            self._begun = self._begun if self._begun is not None else episodes[0].first_start - BEFORE_S
            self._draw_until(episodes[-1].end + AFTER_S, progress)
        self._close()
        if self.frames and not self.error:
            self._partial.replace(self._path)
            return self.frames
        self._partial.unlink(missing_ok=True)
        return 0

    def abandon(self) -> None:
        """Stop drawing and leave no file: the run was interrupted."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        self._close()
        self._partial.unlink(missing_ok=True)

    def _run(self) -> None:
        if sys.platform == "linux":
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
        try:
            while not self._stopping.wait(_POLL):
                self._draw_until(self._horizon())
        except Exception:
            self.error = traceback.format_exc()

    def _horizon(self) -> float:
        """Time [s] before which everything shown is known; on a loaded machine the outside pictures come late."""
        now = self._now()
        views = self._recording.viewer, self._recording.policy_view
        newest = min((frames[-1].stamp for frames in views if frames), default=now)
        return min(now - LAG_S, max(newest, now - LATEST_S))

    def _draw_until(self, end: float, progress: Callable[[float], None] = lambda share: None) -> None:
        """Draw the frames that are still missing before `end` [s]."""
        recording = self._recording
        alone = self._thread is None or not self._thread.is_alive()
        while self._begun is not None and (recording.viewer or recording.policy_view):
            frame = self._begun + self.frames / FPS
            if frame >= end or (self._stopping.is_set() and not alone):
                return
            viewer, policy_view = self._views.at(frame)
            scene = scene_at(recording, self._policy, frame, viewer, policy_view, self._known(), self._count)
            self._encode(scene)
            progress(self._share())

    def _known(self) -> list[Episode]:
        """The episodes that have ended, and the one that runs."""
        ended, current = list(self._recording.episodes), self._current
        return [*ended, current] if current and current.seed > len(ended) else ended

    def _share(self) -> float:
        episodes = self._recording.episodes
        if not episodes or self._begun is None:
            return 1.0
        return min(1.0, self.frames / max(1.0, FPS * (episodes[-1].end + AFTER_S - self._begun)))

    def _encode(self, scene: Scene) -> None:
        if self._writer is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = _open(self._partial)
            self._writer.send(None)
        self._writer.send(draw(scene))
        self.frames += 1

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def _open(path: Path) -> Generator[None, Any, None]:
    writer: Generator[None, Any, None] = imageio_ffmpeg.write_frames(
        str(path),
        (WIDTH, HEIGHT),
        fps=FPS,
        codec="libx264",
        pix_fmt_in="rgb24",
        pix_fmt_out="yuv420p",
        macro_block_size=2,
        quality=None,
        output_params=["-crf", "21", "-preset", "veryfast", "-threads", "1", "-movflags", "+faststart"],
        ffmpeg_log_level="error",
    )
    return writer
