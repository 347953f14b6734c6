# SPDX-License-Identifier: Apache-2.0
"""Images as an observation map wants them."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from vla_core.observation_map.camera import Camera, Fit, Interpolation
from vla_perception.errors import ImageError
from vla_perception.image.fitting import fit_image, padded_size
from vla_perception.image.resizing import resize_to

SIDES = st.integers(1, 90)


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 256, (height, width, 3), dtype=np.uint8)


def camera(**settings: Any) -> Camera:
    return Camera("front", **settings)


@given(st.tuples(SIDES, SIDES), st.tuples(SIDES, SIDES))
def test_crop_by_area_is_the_resize_that_rt1_was_trained_with(size: tuple[int, int], target: tuple[int, int]) -> None:
    fitted = fit_image(picture(*size), camera(size=target, fit=Fit.CROP, interpolation=Interpolation.AREA))
    np.testing.assert_array_equal(fitted, resize_to(picture(*size), target))


@given(
    st.tuples(SIDES, SIDES),
    st.tuples(SIDES, SIDES),
    st.sampled_from(Fit),
    st.sampled_from(Interpolation),
    st.sampled_from([0, 90, 180, 270]),
)
def test_any_image_gets_the_size_and_an_array_of_its_own(
    size: tuple[int, int], target: tuple[int, int], fit: Fit, interpolation: Interpolation, rotate: int
) -> None:
    image = picture(*size)
    fitted = fit_image(image, camera(size=target, fit=fit, interpolation=interpolation, rotate=rotate))
    assert (fitted.shape, fitted.dtype) == ((*target, 3), np.uint8)
    assert fitted.flags["C_CONTIGUOUS"]
    assert not np.shares_memory(fitted, image)


@given(st.tuples(st.integers(8, 90), st.integers(8, 90)), st.tuples(st.integers(8, 90), st.integers(8, 90)))
def test_pad_keeps_the_shape_between_black_bars(size: tuple[int, int], target: tuple[int, int]) -> None:
    height, width = padded_size(size, target)
    assert target[0] - height <= 1 or target[1] - width <= 1  # a pixel less where the division is not exact
    fitted = fit_image(np.full((*size, 3), 200, np.uint8), camera(size=target, fit=Fit.PAD))
    filled = np.argwhere(fitted.any(axis=2))
    assert (np.ptp(filled, axis=0) + 1).tolist() == [height, width]
    assert set(np.unique(fitted)) <= {0, 200}
    top, left = filled[0]
    assert abs(2 * top + height - target[0]) <= 1
    assert abs(2 * left + width - target[1]) <= 1


def test_pad_interpolates_as_pillow_does() -> None:
    image = picture(48, 64)
    fitted = fit_image(image, camera(size=(32, 32), fit=Fit.PAD))
    np.testing.assert_array_equal(
        fitted[4:28], np.asarray(Image.fromarray(image).resize((32, 24), Image.Resampling.BILINEAR))
    )
    assert not fitted[:4].any()
    assert not fitted[28:].any()


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_rotation_is_counter_clockwise_and_undone_by_the_rest_of_the_turn(turns: int) -> None:
    image = picture(5, 7)
    turned = fit_image(image, camera(rotate=90 * turns))
    np.testing.assert_array_equal(turned, np.rot90(image, turns))
    np.testing.assert_array_equal(fit_image(turned, camera(rotate=90 * (-turns % 4))), image)
    if turns == 1:
        np.testing.assert_array_equal(turned[-1, 0], image[0, 0])  # the top left corner goes to the bottom left


def test_without_a_size_the_image_stays_as_it_is() -> None:
    np.testing.assert_array_equal(fit_image(picture(5, 7), camera()), picture(5, 7))


@pytest.mark.parametrize("image", [np.zeros((2, 2), np.uint8), np.zeros((0, 2, 3), np.uint8), np.zeros((2, 2, 3))])
def test_what_is_no_image_is_refused(image: np.ndarray) -> None:
    with pytest.raises(ImageError, match=r"valid: \(H, W, 3\) of uint8"):
        fit_image(image, camera(size=(4, 4)))
