# SPDX-License-Identifier: Apache-2.0
"""Sound as this package uses it: 16 kHz, one channel, 16 bits; and its conversion from what arrives."""

from __future__ import annotations

import math
import struct
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.io import wavfile
from scipy.signal import resample_poly

from vla_speech.errors import SoundError

Samples = NDArray[np.int16]
SAMPLE_RATE = 16000  # [Hz]
MIN_RATE, MAX_RATE = 8000, 192000  # [Hz]
MAX_CHANNELS = 8
_FULL = 32767
_CLIPPED_SHARE = 0.002  # of samples at full scale, from which a sound counts as clipped
_FILTER_REACH = 10  # of scipy's polyphase filter, in samples of the lower rate


class Converter:
    """Converts a stream of interleaved int16 samples of one rate and channel count; pieces may have any length."""

    def __init__(self, sample_rate: int, channels: int) -> None:
        """Prepare the conversion. Raises SoundError for a rate or a number of channels out of range."""
        if not MIN_RATE <= sample_rate <= MAX_RATE:
            raise SoundError(f"sample rate {sample_rate} Hz; valid: {MIN_RATE} to {MAX_RATE} Hz")
        if not 1 <= channels <= MAX_CHANNELS:
            raise SoundError(f"{channels} channels; valid: 1 to {MAX_CHANNELS}")
        divisor = math.gcd(SAMPLE_RATE, sample_rate)
        self._up, self._down = SAMPLE_RATE // divisor, sample_rate // divisor
        reach = _FILTER_REACH * max(self._up, self._down) / self._up
        self._margin = self._down * math.ceil(reach / self._down + 1)  # [samples] on either side of a piece
        self._channels = channels
        self._kept = np.zeros(self._margin, np.float32)

    def push(self, samples: Samples) -> Samples:
        """Return what of the stream is complete with `samples` (n * channels,); later by the filter's reach.

        Raises:
            SoundError: the samples are no whole number of frames.
        """
        if len(samples) % self._channels:
            raise SoundError(f"{len(samples)} samples are not a multiple of {self._channels} channels")
        mono = samples.reshape(-1, self._channels).mean(axis=1, dtype=np.float32)
        if self._up == self._down:
            return _to_int16(mono)
        buffer = np.concatenate([self._kept, mono])
        whole = max(len(buffer) - 2 * self._margin, 0) // self._down * self._down
        self._kept = buffer[whole:]
        if whole == 0:
            return np.zeros(0, np.int16)
        sound = resample_poly(buffer[: whole + 2 * self._margin], self._up, self._down)
        first = self._margin * self._up // self._down
        return _to_int16(sound[first : first + whole * self._up // self._down])


def convert(samples: Samples, sample_rate: int, channels: int) -> Samples:
    """Return a whole sound (n * channels,) as 16 kHz mono. Raises SoundError as Converter does."""
    converter = Converter(sample_rate, channels)
    sound = converter.push(samples)
    if sample_rate == SAMPLE_RATE:
        return sound
    return np.concatenate([sound, converter.push(np.zeros(sample_rate // 20 * channels, np.int16))])


def read_sound(path: Path) -> Samples:
    """Return the sound of a WAV file: PCM of 8 to 32 bits or floating point, 8 to 192 kHz, 1 to 8 channels.

    Raises:
        SoundError: the file is absent, empty, no WAV, or of an invalid rate or number of channels.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", wavfile.WavFileWarning)  # chunks of metadata
            rate, data = wavfile.read(path)
    except OSError as error:
        raise SoundError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, EOFError, ArithmeticError, struct.error) as error:  # scipy's, also for an empty or a cut file
        size = path.stat().st_size
        raise SoundError(
            f"{path} ({size} bytes) is not a WAV file of PCM or floating-point samples: {error}"
        ) from error
    if data.size == 0:
        raise SoundError(f"{path} holds no samples; valid: a WAV file with sound")
    channels = 1 if data.ndim == 1 else data.shape[1]
    return convert(_scaled(data).reshape(-1), int(rate), channels)


def clipped(samples: Samples) -> bool:
    """Return whether a sound touches full scale so often that it was recorded too loud."""
    return bool(len(samples)) and float(np.mean(np.abs(samples.astype(np.int32)) >= _FULL)) > _CLIPPED_SHARE


def level_db(samples: Samples) -> float:
    """Return the level of a sound [dB of full scale], -96 at least."""
    power = float(np.mean(np.square(samples.astype(np.float64)))) if len(samples) else 0.0
    return max(10.0 * math.log10(power / _FULL**2), -96.0) if power > 0.0 else -96.0


def _scaled(data: NDArray[np.generic]) -> Samples:
    if data.dtype == np.int16:
        return data.astype(np.int16)
    if data.dtype == np.uint8:
        return ((data.astype(np.int16) - 128) * 256).astype(np.int16)
    if np.issubdtype(data.dtype, np.signedinteger):  # of 24 bits too: scipy shifts them to the top
        return (data.astype(np.int64) >> (8 * data.dtype.itemsize - 16)).astype(np.int16)
    return _to_int16(np.nan_to_num(data.astype(np.float32)) * _FULL)


def _to_int16(sound: NDArray[np.floating]) -> Samples:
    samples: Samples = np.clip(np.rint(sound), -_FULL - 1, _FULL).astype(np.int16)
    return samples
