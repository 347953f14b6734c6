# SPDX-License-Identifier: Apache-2.0
"""The halt word's network in a stream: the same in pieces of any length, and asleep while nobody speaks."""

import numpy as np
import pytest
from vla_speech.halt_word.spotter import HOP, LATEST, WEIGHTS, WINDOW, HaltSpotter, head
from vla_speech.sound import SAMPLE_RATE

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (requirements/speech.txt)")


def probabilities(sound, size, spotter=None):
    spotter = spotter or HaltSpotter()
    return [spotter.hear(sound[start : start + size]) for start in range(0, len(sound), size)]


def test_stop_is_probable_at_its_end_and_other_words_are_not(sound):
    end = round(0.38 * SAMPLE_RATE)
    said = sound("stop", before=1.5, after=1.0)
    loud = probabilities(said, HOP)
    best = int(np.argmax(loud))
    assert loud[best] > 0.85
    assert 0.0 <= (best + 1) * HOP / SAMPLE_RATE - (1.5 + end / SAMPLE_RATE) < 0.4
    assert max(probabilities(sound("talk", before=1.5), HOP)) < 0.85
    assert max(probabilities(sound("pick_up_the_red_block", before=1.5), HOP)) < 0.85


def test_pieces_of_another_length_give_nearly_the_same(sound):
    said = sound("stop", before=1.2)
    whole = [p for p in probabilities(said, HOP) if p > 0.0]
    pieces = [p for p in probabilities(said, 512) if p > 0.0]
    assert np.abs(np.array(whole[-len(pieces) :]) - pieces[-len(whole) :]).max() < 0.2


def test_it_sleeps_while_nobody_speaks_and_wakes_with_what_came_before(sound):
    spotter = HaltSpotter()
    for _ in range(20):
        assert spotter.hear(np.zeros(HOP, np.int16), awake=False) == 0.0
    said = sound("stop", before=0.0, after=0.4)
    assert max(probabilities(said, 512, spotter)) > 0.85


def test_the_weights_are_small_and_fit():
    from safetensors.numpy import load_file

    assert WEIGHTS.stat().st_size < 150_000
    assert WINDOW > 0
    assert 0.0 <= head(load_file(WEIGHTS), np.zeros((LATEST, 96), np.float32)) <= 1.0
