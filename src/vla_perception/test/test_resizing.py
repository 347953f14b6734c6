# SPDX-License-Identifier: Apache-2.0
"""The resize between camera and policy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from vla_perception.errors import ImageError
from vla_perception.image.resizing import crop_box, resize_to

sides = st.integers(1, 70)
sizes = st.tuples(sides, sides)


@given(size=sizes, target=sizes)
def test_crop_box_is_inside_centred_and_of_the_target_shape(size: tuple[int, int], target: tuple[int, int]) -> None:
    top, left, height, width = crop_box(size, target)
    assert 0 <= top <= top + height <= size[0]
    assert 0 <= left <= left + width <= size[1]
    assert height == size[0] or width == size[1]
    assert 0 <= size[0] - height - 2 * top <= 1
    assert 0 <= size[1] - width - 2 * left <= 1
    exact_width, exact_height = height * target[1] / target[0], width * target[0] / target[1]
    assert abs(width - exact_width) <= 0.5 or abs(height - exact_height) <= 0.5 or 1 in (width, height)


@given(size=sizes, target=sizes, colour=st.tuples(*[st.integers(0, 255)] * 3))
def test_shape_and_constant_colour_are_kept(
    size: tuple[int, int], target: tuple[int, int], colour: tuple[int, int, int]
) -> None:
    resized = resize_to(np.full((*size, 3), colour, np.uint8), target)
    assert resized.shape == (*target, 3)
    assert resized.flags["C_CONTIGUOUS"]
    assert resized.dtype == np.uint8
    assert np.all(resized == np.array(colour, np.uint8))


@given(factor=st.integers(1, 5), height=st.integers(1, 16), width=st.integers(1, 16), seed=st.integers(0, 2**32 - 1))
def test_whole_factors_average_areas(factor: int, height: int, width: int, seed: int) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (height * factor, width * factor, 3), dtype=np.uint8)
    means = image.reshape(height, factor, width, factor, 3).mean(axis=(1, 3))
    assert np.max(np.abs(resize_to(image, (height, width)) - means)) <= 0.5 + 1e-6


@given(size=sizes, target=sizes, seed=st.integers(0, 2**32 - 1))
def test_same_input_same_output_whatever_the_memory_layout(size: tuple, target: tuple, seed: int) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    before = image.copy()
    first = resize_to(image, target)
    np.testing.assert_array_equal(first, resize_to(np.asfortranarray(image), target))
    first[:] = 0  # the result is its own array
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("wrong", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)])
def test_other_arrays_are_refused(wrong: np.ndarray) -> None:
    with pytest.raises(ImageError, match="valid"):
        resize_to(wrong, (2, 2))


def test_target_without_pixels_is_refused() -> None:
    with pytest.raises(ImageError, match="at least 1"):
        resize_to(np.zeros((4, 4, 3), np.uint8), (0, 5))
