# SPDX-License-Identifier: Apache-2.0
"""What lies between a mouth and a microphone: noise, music-like tones, other speech, the echo of a room."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.signal import fftconvolve

from vla_speech.sound import SAMPLE_RATE, Samples

Sound = NDArray[np.float64]


def coloured_noise(rng: np.random.Generator, samples: int, slope: float) -> Sound:
    """Return noise of deviation 1 whose amplitude falls with frequency to the power `slope`: 0 white, 0.5 pink."""
    spectrum = np.fft.rfft(rng.normal(size=samples))
    return _unit(np.fft.irfft(spectrum / (np.arange(len(spectrum)) + 1.0) ** slope, samples))


def tones(rng: np.random.Generator, samples: int) -> Sound:
    """Return music-like sound of deviation 1: harmonic tones that swell, over a little noise."""
    time = np.arange(samples) / SAMPLE_RATE
    sound = 0.2 * rng.normal(size=samples)
    for _ in range(rng.integers(2, 8)):
        pitch, beat, phase = rng.uniform(60.0, 2000.0), rng.uniform(0.3, 4.0), rng.uniform(0.0, 6.0)
        swell = 0.5 + 0.5 * np.sin(2.0 * np.pi * beat * time + phase)
        sound += swell * sum(np.sin(2.0 * np.pi * pitch * n * time) / n for n in (1, 2, 3))
    return _unit(sound)


def motors(rng: np.random.Generator, samples: int) -> Sound:
    """Return sound like an arm's own, of deviation 1: whirring tones that rise and fall, clicks, pink noise."""
    time = np.arange(samples) / SAMPLE_RATE
    speed = 1.0 + 0.5 * np.sin(2.0 * np.pi * rng.uniform(0.1, 0.5) * time + rng.uniform(0.0, 6.0))
    turn = 2.0 * np.pi * np.cumsum(rng.uniform(80.0, 250.0) * speed) / SAMPLE_RATE
    sound = sum(np.sin(n * turn) / n for n in (1, 2, 5, 11)) + coloured_noise(rng, samples, 0.5)
    clicks = rng.integers(0, samples, size=max(samples // (2 * SAMPLE_RATE), 1))
    sound[clicks] += 20.0
    return _unit(sound)


def babble(rng: np.random.Generator, samples: int, speech: Sequence[Samples]) -> Sound:
    """Return several pieces of `speech` at once, of deviation 1."""
    sound = np.zeros(samples)
    for _ in range(4):
        piece = speech[int(rng.integers(len(speech)))].astype(np.float64)[:samples]
        start = rng.integers(0, samples - len(piece) + 1)
        sound[start : start + len(piece)] += _unit(piece)
    return _unit(sound + 1e-3 * rng.normal(size=samples))


def echo(rng: np.random.Generator, sound: Sound, seconds: float) -> Sound:
    """Return `sound` in a room whose echo falls by 60 dB in `seconds` [s], as long as before."""
    length = round(seconds * SAMPLE_RATE)
    tail = rng.normal(size=length) * 10.0 ** (-3.0 * np.arange(length) / length)
    response = 0.5 * tail / np.linalg.norm(tail)
    response[0] += 1.0
    return np.asarray(fftconvolve(sound, response)[: len(sound)])


def mix(speech: Sound, noise: Sound, ratio_db: float, peak: float = 9000.0) -> Samples:
    """Return speech with noise at a signal-to-noise ratio [dB], the speech's peak at `peak` of int16.

    The level of the speech is that of its loud parts, so that pauses do not count.
    """
    loud = speech[np.abs(speech) > 0.05 * np.abs(speech).max()]
    level = float(np.sqrt(np.mean(loud**2)))
    mixed = speech + noise * level / 10.0 ** (ratio_db / 20.0)
    mixed_samples: Samples = np.clip(np.rint(mixed * peak / np.abs(speech).max()), -32768, 32767).astype(np.int16)
    return mixed_samples


def _unit(sound: NDArray[np.generic]) -> Sound:
    values = np.asarray(sound, np.float64)
    scaled: Sound = values / (values.std() + 1e-9)
    return scaled
