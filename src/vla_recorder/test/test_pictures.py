# SPDX-License-Identifier: Apache-2.0
"""Images: PNG is without loss for every encoding that is compressed; the others stay as they are."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from vla_recorder.pictures import ENCODINGS, compress


@given(st.sampled_from(sorted(ENCODINGS)), st.integers(1, 9), st.integers(1, 9), st.integers(0, 3), st.integers(0, 99))
def test_png_gives_every_sample_back(encoding: str, height: int, width: int, padding: int, seed: int) -> None:
    kind = ENCODINGS[encoding]
    row = width * kind.channels * np.dtype(kind.sample).itemsize
    data = np.random.default_rng(seed).integers(0, 256, (height, row + padding), dtype=np.uint8)
    form, coded = compress(data.tobytes(), encoding, height, width, row + padding, "png", 90)
    pixels = cv2.imdecode(np.frombuffer(coded, np.uint8), cv2.IMREAD_UNCHANGED)
    pixels = pixels[:, :, ::-1] if kind.swapped else pixels
    assert form.startswith(f"{encoding}; png compressed")
    np.testing.assert_array_equal(np.ascontiguousarray(pixels).view(np.uint8).reshape(height, row), data[:, :row])


def test_jpeg_is_near_and_smaller() -> None:
    ramp = np.tile(np.linspace(0, 255, 160, dtype=np.uint8)[None, :, None], (120, 1, 3))
    form, coded = compress(ramp.tobytes(), "rgb8", 120, 160, 480, "jpeg", 90)
    assert form == "rgb8; jpeg compressed bgr8"
    assert len(coded) < ramp.size / 5
    decoded = cv2.imdecode(np.frombuffer(coded, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]
    assert np.abs(decoded.astype(int) - ramp).max() < 12


@pytest.mark.parametrize(
    ("encoding", "height", "width", "step", "size"),
    [
        ("bayer_rggb8", 4, 4, 4, 16),
        ("32FC1", 2, 2, 8, 16),
        ("rgb8", 4, 4, 11, 48),
        ("rgb8", 4, 4, 12, 47),
        ("rgb8", 0, 0, 0, 0),
    ],
)
def test_what_cannot_be_compressed_is_left_alone(encoding: str, height: int, width: int, step: int, size: int) -> None:
    assert compress(bytes(size), encoding, height, width, step, "png", 90) is None
