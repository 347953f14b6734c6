# SPDX-License-Identifier: Apache-2.0
"""The episodes of a folder: begun, labelled, discarded; one bag each, numbered on."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from vla_recorder.bag.bag import Recorded
from vla_recorder.bag.metadata import change_custom
from vla_recorder.bag.writer import BagWriter
from vla_recorder.errors import RecordingError
from vla_recorder.ring import Ring

MEGABYTE = 10**6
NUMBERED = re.compile(r"(?:episode|last)_(\d+)")


class Label(Enum):
    """How an episode ended, as it stands in the bag under `success`."""

    NONE = ""
    SUCCESS = "true"
    FAILURE = "false"


@dataclass(slots=True)
class Episodes:
    """Records into `folder`; not thread-safe. Failures of the disk end the episode, and `problem` says why.

    about: texts that go into every bag; min_free: bytes of free disk below which no episode goes on.
    """

    folder: Path
    ring: Ring
    about: Mapping[str, str] = field(default_factory=dict)
    distro: str = ""
    min_free: int = 0
    problem: str = ""
    task: str = ""
    instruction: str = ""  # latest task given to the robot
    saved: int = 0  # episodes finished since the start
    _writer: BagWriter | None = None
    _last: Path | None = None

    @property
    def writer(self) -> BagWriter | None:
        """The bag being written."""
        return self._writer

    @property
    def latest(self) -> Path | None:
        """Folder of the episode that is recorded, or was recorded last."""
        return self._writer.folder if self._writer else self._last

    def add(self, message: Recorded, latched: bool = False) -> None:
        """Take a message."""
        self.ring.add(message, latched)
        self._write(message)

    def note_instruction(self, text: str) -> None:
        """Note a task given to the robot: that of an episode whose own text is empty."""
        self.instruction = text
        if self._writer is not None and not self.task:
            self.task = text

    def flush(self) -> None:
        """Hand what came to the operating system, and stop before the disk is full."""
        if self._writer is None:
            return
        self._guarded(BagWriter.flush)
        if self._writer is not None and self._free() < self.min_free:
            folder = self._finish(Label.NONE)
            self.problem = f"{folder.name} was stopped: {self._no_room()}"

    # Commands. Each returns what it did, for people, and raises RecordingError when it cannot.

    def start(self, task: str, now_ns: int) -> str:
        """Begin an episode; an empty `task` means: the robot's instruction."""
        if self._writer is not None:
            raise RecordingError(
                f"{self._writer.folder.name} is being recorded; valid: stop, success, failure, discard"
            )
        self.task = task or self.instruction
        self._writer = self._open("episode", {"task": self.task})
        for message in self.ring.latched(now_ns):
            self._write(message)
        return f"recording {self._writer.folder}" if self._writer else self._refused()

    def stop(self, label: Label = Label.NONE) -> str:
        """End the episode with a label; without one running, label the last."""
        if self._writer is not None:
            folder = self._finish(label)
            return f"saved {folder}" + (f" as {label.name.lower()}" if label is not Label.NONE else "")
        if label is Label.NONE or self._last is None:
            raise RecordingError("no episode is being recorded; valid: start")
        try:
            change_custom(self._last, {"success": label.value})
        except OSError as error:
            raise RecordingError(f"{self._last}: {error}") from error
        return f"{self._last} is a {label.name.lower()}"

    def discard(self) -> str:
        """Delete the episode that is being recorded, or else the one recorded last."""
        folder = self.latest
        if folder is None:
            raise RecordingError("there is no episode to discard; valid: start")
        if self._writer is not None:
            self._writer.abandon()
        self._writer = self._last = None
        try:
            shutil.rmtree(folder)
        except OSError as error:
            raise RecordingError(f"{folder} cannot be deleted: {error}") from error
        return f"discarded {folder}"

    def record_again(self, now_ns: int) -> str:
        """Discard the episode and begin another with its task."""
        task = self.task
        return f"{self.discard()}; {self.start(task, now_ns)}"

    def save_last(self) -> str:
        """Write what is in memory into a bag of its own; messages that come meanwhile wait."""
        if not len(self.ring):
            raise RecordingError("nothing is in memory: no message has come, or last_seconds is 0")
        seconds = self.ring.seconds
        writer = self._open("last", {"task": self.instruction})
        try:
            self._write_all(writer, self.ring.last())
        except OSError as error:
            writer.abandon()
            raise RecordingError(f"{writer.folder}: {error}") from error
        return f"saved the last {seconds:.1f} s in {writer.folder}"

    def _write_all(self, writer: BagWriter, messages: Iterable[Recorded]) -> None:
        for message in messages:
            writer.write(message)
        writer.close({})

    def close(self) -> None:
        """End the episode that is being recorded, unlabelled."""
        if self._writer is not None:
            self._finish(Label.NONE)

    # The disk

    def _open(self, kind: str, custom: Mapping[str, str]) -> BagWriter:
        self.problem = ""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if self._free() < self.min_free:
                raise RecordingError(self._no_room())
            numbers = [int(match[1]) for path in self.folder.iterdir() if (match := NUMBERED.fullmatch(path.name))]
            name = f"{kind}_{max(numbers, default=-1) + 1:06d}"
            return BagWriter(self.folder / name, {**self.about, **custom, "success": ""}, self.distro)
        except OSError as error:
            raise RecordingError(f"{self.folder} cannot be written: {error}") from error

    def _finish(self, label: Label) -> Path:
        writer = self._writer
        assert writer is not None
        self._guarded(lambda open_: open_.close({"task": self.task, "success": label.value}))
        if self._writer is None:
            raise RecordingError(self.problem)
        self._writer, self._last = None, writer.folder
        self.saved += 1
        return writer.folder

    def _write(self, message: Recorded) -> None:
        self._guarded(lambda writer: writer.write(message))

    def _guarded(self, act: Callable[[BagWriter], object]) -> None:
        """Let the bag do something; where the disk fails it, give the bag up and say so."""
        writer = self._writer
        if writer is None:
            return
        try:
            act(writer)
        except OSError as error:
            self.problem = f"{writer.folder.name} was stopped: {error}; `vla record recover {writer.folder}` keeps it"
            self._writer = None
            writer.abandon()

    def _refused(self) -> str:
        raise RecordingError(self.problem)

    def _free(self) -> int:
        return shutil.disk_usage(self.folder).free

    def _no_room(self) -> str:
        return (
            f"{self._free() / MEGABYTE:.0f} MB are free at {self.folder}; valid: at least "
            f"{self.min_free / MEGABYTE:.0f} (parameter min_free_megabytes)"
        )
