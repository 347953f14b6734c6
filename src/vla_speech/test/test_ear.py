# SPDX-License-Identifier: Apache-2.0
"""The ear finds where utterances begin and end, whatever the pieces that sound comes in."""

import numpy as np
import pytest
from vla_speech.activity import FRAME, Activity
from vla_speech.ear import Begin, Ear, End, Halt, Piece
from vla_speech.sound import SAMPLE_RATE

LOUD, WORD = 8000, 20000  # amplitudes that stand for speech, and for the halt word


class Spotter:
    def hear(self, sound, awake=True):
        return 0.9 if np.abs(sound).max() >= WORD else 0.0


def new_ear(pause=0.5, longest=4.0):
    probability = lambda frame: float(np.abs(frame).max() >= LOUD)  # noqa: E731
    return Ear(Activity(probability, pause, longest), Spotter(), 0.5)


def stream(*parts):
    return np.concatenate([np.full(round(seconds * SAMPLE_RATE), value, np.int16) for value, seconds in parts])


def signs(ear, sound, size, pressed=False):
    return [sign for start in range(0, len(sound), size) for sign in ear.hear(sound[start : start + size], pressed)]


def shape(found):
    """Names in order; runs of pieces as their length."""
    return [(type(sign).__name__, getattr(sign, "end", None)) for sign in found if not isinstance(sign, Piece)]


@pytest.mark.parametrize("size", [1, 160, 512, 1000, 16000])
def test_pieces_of_any_length_give_the_same(size):
    sound = stream((0, 1.0), (LOUD, 1.0), (0, 1.0), (LOUD, 0.5), (0, 1.0))
    found = signs(new_ear(), sound, size if size > 1 else 37)
    assert shape(found) == shape(signs(new_ear(), sound, 512))
    assert [type(sign) for sign in found if not isinstance(sign, Piece)] == [Begin, End, Begin, End]


def test_an_utterance_holds_the_sound_before_speech_was_noticed():
    found = signs(new_ear(), stream((0, 1.0), (LOUD, 1.0), (0, 1.0)), 320)
    said = np.concatenate([sign.sound for sign in found if isinstance(sign, Piece)])
    assert np.count_nonzero(said) == pytest.approx(SAMPLE_RATE, abs=FRAME)
    assert np.flatnonzero(said)[0] > 0.2 * SAMPLE_RATE


def test_speech_without_end_is_cut_and_silence_gives_nothing():
    found = signs(new_ear(longest=2.0), stream((LOUD, 7.0)), 640)
    assert len([sign for sign in found if isinstance(sign, End)]) == 3
    assert signs(new_ear(), stream((0, 30.0)), 640) == []


def test_the_talk_button_bounds_an_utterance_whatever_is_heard():
    ear = new_ear()
    found = [*signs(ear, stream((0, 0.5)), 320), *signs(ear, stream((LOUD, 0.5), (0, 1.5)), 320, pressed=True)]
    assert not [sign for sign in found if isinstance(sign, End)]
    (end,) = [sign for sign in signs(ear, stream((0, 0.2)), 320) if isinstance(sign, End)]
    assert end.addressed
    assert not end.halted


@pytest.mark.parametrize("pressed", [False, True])
def test_the_halt_word_is_reported_at_once_once_and_marks_its_utterance(pressed):
    ear = new_ear()
    sound = stream((0, 0.4), (LOUD, 0.6), (WORD, 0.3), (LOUD, 0.5), (0, 1.0))
    found = signs(ear, sound, 320, pressed) + list(ear.finish())
    (halt,) = [sign for sign in found if isinstance(sign, Halt)]
    assert halt.end == pytest.approx(1.0, abs=0.06)
    (end,) = [sign for sign in found if isinstance(sign, End)]
    assert end.halted


def test_the_end_of_the_sound_ends_the_utterance():
    ear = new_ear()
    found = signs(ear, stream((0, 0.4), (LOUD, 0.6)), 320)
    assert not [sign for sign in found if isinstance(sign, End)]
    assert [type(sign) for sign in ear.finish()][-1] is End
    assert list(ear.finish()) == []
