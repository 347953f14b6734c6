# SPDX-License-Identifier: Apache-2.0
"""Images of a video file or of a camera on this machine, read by a thread of their own."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from vla_perception.image.encodings import Uint8Array

_RETRY_S = 1.0
_DEFAULT_RATE_HZ = 30.0


@dataclass(frozen=True, slots=True)
class VideoTarget:
    """What to open; zeros leave the choice to the file or the device."""

    path: str
    is_device: bool
    loop: bool = True  # files only
    rate_hz: float = 0.0  # files only
    height: int = 0  # devices only [pixels]
    width: int = 0  # devices only [pixels]


class VideoSource:
    """Calls ``on_image`` with (rgb (H, W, 3), capture time [ns] by ``now_ns``) from its thread until ``stop``.

    What cannot be opened or goes away is tried again every second; ``problem`` says in words what is wrong.
    """

    def __init__(
        self, target: VideoTarget, now_ns: Callable[[], int], on_image: Callable[[Uint8Array, int], None]
    ) -> None:
        self._target = target
        self._now_ns = now_ns
        self._on_image = on_image
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="video source", daemon=True)
        self.problem = ""

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; no image comes afterwards."""
        self._stopping.set()
        self._thread.join(timeout=5.0)

    def _run(self) -> None:
        while not self._stopping.is_set():
            finished = self._play_once()
            if finished and not self._target.is_device:
                if self._target.loop:
                    continue
                self.problem = f"video file {self._target.path!r} has ended; set loop to play it again"
                return
            self._stopping.wait(_RETRY_S)

    def _play_once(self) -> bool:
        """Read to the end. True when at least one image came."""
        capture = self._open()
        try:
            if not capture.isOpened():
                self.problem = f"{self._noun} {self._target.path!r} cannot be opened; trying again every second"
                return False
            came = self._read_all(capture)
            if self._target.is_device or not came:
                self.problem = f"{self._noun} {self._target.path!r} sends no image; trying again every second"
            return came
        finally:
            capture.release()

    @property
    def _noun(self) -> str:
        return "camera" if self._target.is_device else "video file"

    def _open(self) -> cv2.VideoCapture:
        capture = cv2.VideoCapture()
        # Failing quietly is wanted: `problem` says it, once, in our words.
        capture.setExceptionMode(False)
        backend = cv2.CAP_V4L2 if self._target.is_device else cv2.CAP_ANY
        capture.open(self._target.path, backend)
        if self._target.is_device:
            capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
            for prop, size in (
                (cv2.CAP_PROP_FRAME_WIDTH, self._target.width),
                (cv2.CAP_PROP_FRAME_HEIGHT, self._target.height),
            ):
                if size:
                    capture.set(prop, size)
        return capture

    def _read_all(self, capture: cv2.VideoCapture) -> bool:
        said = float(capture.get(cv2.CAP_PROP_FPS))
        rate_hz = self._target.rate_hz or (said if 0 < said < 1000 else _DEFAULT_RATE_HZ)
        due, came = time.monotonic(), False
        while not self._stopping.is_set() and capture.grab():
            stamp_ns = self._now_ns()
            read, bgr = capture.retrieve()
            if not read:
                break
            came, self.problem = True, ""
            self._on_image(np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), dtype=np.uint8), stamp_ns)
            if not self._target.is_device:
                due = max(due + 1.0 / rate_hz, time.monotonic() - 1.0 / rate_hz)
                self._stopping.wait(max(0.0, due - time.monotonic()))
        return came
