# SPDX-License-Identifier: Apache-2.0
"""Ear and understanding together, in one thread or in two."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from queue import Full, Queue

from vla_speech.ear import Begin, End, Halt, Piece, Sign, new_ear
from vla_speech.heard import Heard, State
from vla_speech.recognition.transcript import Recogniser
from vla_speech.settings import HearingSettings
from vla_speech.sound import Samples
from vla_speech.understanding import Understanding

Report = Callable[[Heard], None]
_QUEUE = 2000  # [signs] about a minute of sound that waits to be understood
_IN_HALT = "the halt word was in it: say a task again"


class Listener:
    """Takes sound in any pieces and reports what is heard.

    `hear` reports the halt word at once. What takes longer is done there too, or with `threaded` in a thread of its
    own, from which `report` is called as well.
    """

    def __init__(self, settings: HearingSettings, report: Report, threaded: bool = False) -> None:
        """Load the models. Raises MissingSpeechError and SettingsError."""
        self._ear = new_ear(settings)
        self._understanding = Understanding(settings)
        self._report = report
        self._utterance = 0
        self._queue: Queue[Sign | Callable[[], Heard | None]] = Queue(_QUEUE)
        self._thread = threading.Thread(target=self._work, name="understanding", daemon=True) if threaded else None
        if self._thread is not None:
            self._thread.start()

    @property
    def hears_free_text(self) -> bool:
        """Whether Whisper is there for what does not fit the grammar."""
        return self._understanding.hears_free_text

    @property
    def time(self) -> float:
        """Stream time [s] of the sound heard so far."""
        return self._ear.time

    def hear(self, sound: Samples, push_to_talk: bool = False) -> None:
        """Take a piece of sound. A minute that waits to be understood is dropped; the halt word never waits."""
        for sign in self._ear.hear(sound, push_to_talk):
            self._pass_on(sign)

    def answer(self, yes: bool) -> None:
        """Take a typed answer to the open question."""
        self._do(lambda: self._understanding.judge.answer(yes, self._ear.time))

    def finish(self) -> None:
        """End the open utterance, as the sound is over, and report it."""
        for sign in self._ear.finish():
            self._pass_on(sign)
        if self._thread is not None:
            self._queue.join()

    def close(self) -> None:
        """End the thread."""
        if self._thread is not None:
            self._queue.put(End(-1.0, addressed=False, halted=False))
            self._thread.join(timeout=5.0)

    def _pass_on(self, sign: Sign) -> None:
        if isinstance(sign, Halt):
            self._report(
                Heard(
                    State.STOP,
                    "stop",
                    Recogniser.STOP,
                    "stop",
                    sign.confidence,
                    utterance=self._utterance,
                    end=sign.end,
                )
            )
            return
        self._do(sign)

    def _do(self, task: Sign | Callable[[], Heard | None]) -> None:
        if self._thread is None:
            self._understand(task)
            return
        try:
            self._queue.put_nowait(task)
        except Full:
            return

    def _work(self) -> None:
        while True:
            task = self._queue.get()
            try:
                if isinstance(task, End) and task.end < 0.0:
                    return
                self._understand(task)
            finally:
                self._queue.task_done()

    def _understand(self, task: Sign | Callable[[], Heard | None]) -> None:
        heard: Heard | None = None
        if isinstance(task, Begin):
            self._utterance += 1
            self._understanding.begin()
        elif isinstance(task, Piece):
            heard = self._understanding.add(task.sound)
        elif isinstance(task, End):
            heard = self._end(task)
        elif not isinstance(task, Halt):
            heard = task()
        if heard is not None:
            self._report(replace(heard, utterance=self._utterance))

    def _end(self, end: End) -> Heard:
        if end.halted:
            self._understanding.cancel()
            self._understanding.judge.forget()
            return Heard(State.IGNORED, "", Recogniser.STOP, confidence=1.0, reason=_IN_HALT, end=end.end)
        return self._understanding.end(end.addressed, end.end)
