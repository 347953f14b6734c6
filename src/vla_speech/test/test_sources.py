# SPDX-License-Identifier: Apache-2.0
"""Sources of sound: a file plays once; a microphone that is not there is looked for again and says so."""

import threading
import time
from pathlib import Path

import numpy as np
import pytest
from vla_speech.errors import SoundError
from vla_speech.health import SpeechHealth
from vla_speech.heard import Heard, State
from vla_speech.recognition.transcript import Recogniser
from vla_speech.sound import read_sound
from vla_speech.sources.file import FileSource
from vla_speech.sources.microphone import MicrophoneSource
from vla_speech.sources.source import Source

STOP = Path(__file__).with_name("sounds") / "stop.wav"
PATIENCE = 30.0  # [s]


def test_a_file_is_heard_once_and_followed_by_silence():
    pieces = []
    source = FileSource(STOP, pieces.append)
    source.start()
    deadline = time.monotonic() + PATIENCE
    while not source.over and time.monotonic() < deadline:
        time.sleep(0.02)
    whole = np.concatenate(pieces)
    said = read_sound(STOP)
    assert np.array_equal(whole[: len(said)], said)
    assert not whole[len(said) :].any()
    source.close()
    with pytest.raises(SoundError):
        FileSource(STOP.with_name("absent.wav"), pieces.append)


def test_a_microphone_that_is_not_there_is_trouble_and_no_crash():
    source = MicrophoneSource("no such microphone", lambda _: None)
    source.start()
    deadline = time.monotonic() + PATIENCE
    while not source.trouble and time.monotonic() < deadline:
        time.sleep(0.02)
    assert "microphone" in source.trouble
    assert not source.over
    source.close()
    assert source.over


def test_a_source_that_fails_begins_again(monkeypatch):
    monkeypatch.setattr("vla_speech.sources.source.RETRY", 0.0)
    came = threading.Event()

    class Vanishing(Source):
        tries = 0

        def _listen(self):
            self.tries += 1
            if self.tries < 3:
                raise SoundError("gone")
            came.set()

    source = Vanishing(lambda _: None)
    source.start()
    assert came.wait(PATIENCE)
    source.close()


def test_health_tells_of_trouble_silence_and_clipping():
    health = SpeechHealth("microphone")
    assert health.report(10.0, "").name == "no_sound"
    health.note_sound(np.full(100, 32767, np.int16), 10.0)
    assert health.report(10.5, "").name == "clipped"
    health.note_sound(np.full(100, 100, np.int16), 29.0)
    assert health.report(30.0, "").name == "ok"
    assert health.report(30.0, "no microphone").message == "no microphone"
    health.note_refused("3 channels")
    assert health.report(30.0, "").message == "3 channels"
    health.note(Heard(State.STOP, "stop", Recogniser.STOP))
    assert health.report(30.0, "").values["stop"] == "1"
