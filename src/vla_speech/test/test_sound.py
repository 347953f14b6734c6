# SPDX-License-Identifier: Apache-2.0
"""Sound of any rate, number of channels and sample format becomes 16 kHz mono; what is no sound is refused."""

import numpy as np
import pytest
from scipy.io import wavfile
from vla_speech.errors import SoundError
from vla_speech.sound import SAMPLE_RATE, Converter, clipped, convert, level_db, read_sound


def tone(rate, hertz=440.0, seconds=1.0, peak=10000.0):
    return np.rint(peak * np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate)).astype(np.int16)


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 44100, 48000, 96000])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_tone_stays_the_same_tone(rate, channels):
    heard = convert(np.repeat(tone(rate), channels), rate, channels)
    assert len(heard) == pytest.approx(SAMPLE_RATE, abs=SAMPLE_RATE // 10)
    middle = heard[4000:12000].astype(float)
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert np.argmax(spectrum) * SAMPLE_RATE / len(middle) == pytest.approx(440.0, abs=3.0)
    assert np.abs(middle).max() == pytest.approx(10000.0, rel=0.02)


@pytest.mark.parametrize("rate", [8000, 44100, 48000])
def test_a_stream_in_pieces_is_the_same_as_in_one(rate):
    rng = np.random.default_rng(1)
    sound = (tone(rate) + rng.normal(0, 500, rate)).astype(np.int16)
    whole = Converter(rate, 1).push(sound)
    converter, cuts = Converter(rate, 1), np.sort(rng.integers(0, rate, 30))
    pieces = np.concatenate([converter.push(piece) for piece in np.split(sound, cuts)])
    assert abs(len(pieces) - len(whole)) <= SAMPLE_RATE // 100
    assert np.abs(pieces[: len(whole)].astype(int) - whole[: len(pieces)]).max() <= 1


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.float32])
def test_every_format_of_samples_is_read(tmp_path, dtype):
    shape = tone(SAMPLE_RATE, peak=0.3 * 32767) / 32768.0
    stored = {
        np.uint8: lambda x: np.rint(x * 127 + 128).astype(np.uint8),
        np.int16: lambda x: (x * 32767).astype(np.int16),
        np.int32: lambda x: (x * (2**31 - 1)).astype(np.int32),
        np.float32: lambda x: x.astype(np.float32),
    }[dtype](shape)
    wavfile.write(tmp_path / "a.wav", SAMPLE_RATE, stored)
    heard = read_sound(tmp_path / "a.wav")
    assert np.abs(heard / 32768.0 - shape).max() < 0.01


@pytest.mark.parametrize(
    "content", [b"", b"RIFF", b"hello, this is no sound", b"RIFF\x24\x00\x00\x00WAVEfmt ", b"\x00" * 5000]
)
def test_what_is_no_wav_is_refused_with_the_name_of_the_file(tmp_path, content):
    path = tmp_path / "x.wav"
    path.write_bytes(content)
    with pytest.raises(SoundError, match=r"x\.wav"):
        read_sound(path)


def test_no_file_a_folder_and_no_samples_are_refused(tmp_path):
    wavfile.write(tmp_path / "none.wav", SAMPLE_RATE, np.zeros(0, np.int16))
    for path in (tmp_path / "absent.wav", tmp_path, tmp_path / "none.wav"):
        with pytest.raises(SoundError):
            read_sound(path)


@pytest.mark.parametrize(("rate", "channels"), [(0, 1), (4000, 1), (400000, 1), (16000, 0), (16000, 9)])
def test_impossible_rates_and_channels_are_refused_with_the_valid_ones(rate, channels):
    with pytest.raises(SoundError, match="valid"):
        Converter(rate, channels)
    with pytest.raises(SoundError, match="multiple of 2"):
        Converter(16000, 2).push(np.zeros(3, np.int16))


def test_level_and_clipping():
    assert level_db(np.zeros(100, np.int16)) == level_db(np.zeros(0, np.int16)) == -96.0
    assert level_db(tone(SAMPLE_RATE, peak=32767)) == pytest.approx(-3.0, abs=0.1)
    assert clipped(np.clip(4.0 * tone(SAMPLE_RATE, peak=30000), -32768, 32767).astype(np.int16))
    assert not clipped(tone(SAMPLE_RATE))
    assert not clipped(np.zeros(0, np.int16))
