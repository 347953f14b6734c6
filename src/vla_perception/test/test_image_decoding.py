# SPDX-License-Identifier: Apache-2.0
"""The decoder against OpenCV's conversions, and what it refuses."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vla_perception.errors import ImageError
from vla_perception.image.decoding import RawImage, decode_compressed, decode_raw
from vla_perception.image.encodings import LAYOUTS

seeds = st.integers(0, 2**32 - 1)
halves = st.integers(1, 20)
paddings = st.integers(0, 7)


def smooth_rgb(seed: int, height: int, width: int) -> np.ndarray:
    """A colourful image without detail, so that subsampled encodings lose little."""
    corners = np.random.default_rng(seed).integers(30, 226, (2, 2, 3)).astype(np.float32)
    return cv2.resize(corners, (width, height), interpolation=cv2.INTER_LINEAR).round().astype(np.uint8)


def message(encoding: str, pixels: np.ndarray, padding: int = 0, big: bool = False) -> RawImage:
    """A camera message of ``pixels`` (H, W[, C]) with ``padding`` bytes of rubbish behind every row but the last."""
    order = ">" if big else "<"
    rows = pixels.astype(pixels.dtype.newbyteorder(order)).reshape(pixels.shape[0], -1).view(np.uint8)
    filled = np.pad(rows, ((0, 0), (0, padding)), constant_values=171)
    data = filled.reshape(-1)[: filled.size - padding]
    return RawImage(encoding, pixels.shape[0], pixels.shape[1], filled.shape[1], big, data)


@given(seed=seeds, height=halves, width=halves, padding=paddings)
def test_packed_colour_is_exact(seed: int, height: int, width: int, padding: int) -> None:
    rgb = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    codes = {"bgr8": cv2.COLOR_RGB2BGR, "rgba8": cv2.COLOR_RGB2RGBA, "bgra8": cv2.COLOR_RGB2BGRA}
    np.testing.assert_array_equal(decode_raw(message("rgb8", rgb, padding)), rgb)
    for encoding, code in codes.items():
        sent = cv2.cvtColor(rgb, code)
        np.testing.assert_array_equal(decode_raw(message(encoding, sent, padding)), rgb)


@given(seed=seeds, height=halves, width=halves, padding=paddings, big=st.booleans())
def test_grey_and_wide_samples(seed: int, height: int, width: int, padding: int, big: bool) -> None:
    grey = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)
    expected = np.repeat(grey[:, :, None], 3, axis=2)
    np.testing.assert_array_equal(decode_raw(message("mono8", grey, padding)), expected)
    # v * 257 is the 16-bit twin of v: whatever is nearer to it than to its neighbours decodes to v.
    nudge = np.random.default_rng(seed + 1).integers(-128, 129, (height, width))
    wide = np.clip(grey.astype(np.int64) * 257 + nudge, 0, 65535).astype(np.uint16)
    np.testing.assert_array_equal(decode_raw(message("mono16", wide, 2 * padding, big)), expected)
    np.testing.assert_array_equal(decode_raw(message("bgr16", np.dstack([wide] * 3), 2 * padding, big)), expected)


@given(seed=seeds, height=halves, half_width=halves, padding=paddings)
def test_packed_yuv_round_trip(seed: int, height: int, half_width: int, padding: int) -> None:
    rgb = smooth_rgb(seed, height, 2 * half_width)
    rgb[:, 1::2] = rgb[:, ::2]  # chroma is shared by two neighbours
    luma, blue, red = cv2.split(yuv444(rgb))
    chroma = np.where(np.arange(rgb.shape[1]) % 2 == 0, blue, red)
    for encoding, channels in (
        ("yuv422", (chroma, luma)),
        ("uyvy", (chroma, luma)),
        ("yuv422_yuy2", (luma, chroma)),
        ("yuyv", (luma, chroma)),
    ):
        decoded = decode_raw(message(encoding, np.dstack(channels), padding))
        assert np.max(np.abs(decoded.astype(int) - rgb)) <= 4, encoding


@given(seed=seeds, half_height=halves, half_width=halves, padding=paddings)
def test_planar_yuv_round_trip(seed: int, half_height: int, half_width: int, padding: int) -> None:
    blocks = smooth_rgb(seed, half_height, half_width)
    rgb = np.repeat(np.repeat(blocks, 2, axis=0), 2, axis=1)
    luma, blue, red = cv2.split(yuv444(rgb))
    for encoding, first, second in (("nv12", blue, red), ("nv21", red, blue)):
        chroma = np.empty((half_height, 2 * half_width), np.uint8)
        chroma[:, ::2], chroma[:, 1::2] = first[::2, ::2], second[::2, ::2]
        sent = message(encoding, np.vstack([luma, chroma]), padding)
        image = RawImage(encoding, 2 * half_height, sent.width, sent.step, False, sent.data)
        assert np.max(np.abs(decode_raw(image).astype(int) - rgb)) <= 4, encoding


def yuv444(rgb: np.ndarray) -> np.ndarray:
    """BT.601 video-range YUV (H, W, 3), written out independently of OpenCV."""
    matrix = np.array([[65.481, 128.553, 24.966], [-37.797, -74.203, 112.0], [112.0, -93.786, -18.214]]) / 255.0
    return (rgb @ matrix.T + [16.0, 128.0, 128.0]).round().astype(np.uint8)


@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
@pytest.mark.parametrize("bits", [8, 16])
def test_bayer_recovers_colours(pattern: str, bits: int) -> None:
    rgb = smooth_rgb(3, 40, 60)
    mosaic = np.empty(rgb.shape[:2], np.uint8)
    for place, colour in enumerate(pattern):
        row, column = divmod(place, 2)
        mosaic[row::2, column::2] = rgb[row::2, column::2, "rgb".index(colour)]
    sent = mosaic if bits == 8 else mosaic.astype(np.uint16) * 257
    decoded = decode_raw(message(f"bayer_{pattern}{bits}", sent))
    assert np.max(np.abs(decoded[2:-2, 2:-2].astype(int) - rgb[2:-2, 2:-2])) <= 6


@given(
    encoding=st.sampled_from([*LAYOUTS, "", "rgb9", "32FC1", "RGB8"]),
    height=st.integers(0, 9),
    width=st.integers(0, 9),
    step=st.integers(0, 80),
    size=st.integers(0, 800),
)
@settings(max_examples=400)
def test_any_fields_decode_or_raise_the_typed_error(
    encoding: str, height: int, width: int, step: int, size: int
) -> None:
    image = RawImage(encoding, height, width, step, False, np.zeros(size, np.uint8))
    try:
        decoded = decode_raw(image)
    except ImageError:
        return
    assert decoded.shape == (height, width, 3)
    assert decoded.dtype == np.uint8


GOOD = {"encoding": "rgb8", "height": 4, "width": 6, "step": 18, "is_bigendian": False, "data": np.zeros(72, np.uint8)}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"encoding": "rgb9"}, "unknown image encoding 'rgb9'; valid encodings: .*bgr8.*rgb8"),
        ({"height": 0}, "empty image .*6x0"),
        ({"width": 0}, "empty image .*0x4"),
        ({"step": 17}, "step too small .*at least 18"),
        ({"data": np.zeros(71, np.uint8)}, "truncated image .*71 bytes.*at least 72"),
        ({"data": np.zeros(0, np.uint8)}, "truncated image .* 0 bytes"),
        ({"height": 2**32 - 1, "width": 2**32 - 1, "step": 2**32 - 1}, "step too small"),
        ({"height": 2**32 - 1}, "truncated image"),
        ({"encoding": "yuv422", "width": 5}, "odd size"),
    ],
)
def test_bad_fields_say_what_was_received_and_what_is_valid(change: dict, said: str) -> None:
    with pytest.raises(ImageError, match=said):
        decode_raw(RawImage(**{**GOOD, **change}))


@given(seed=seeds, height=st.integers(1, 40), width=st.integers(1, 40))
def test_png_is_exact(seed: int, height: int, width: int) -> None:
    rgb = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    _, data = cv2.imencode(".png", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    np.testing.assert_array_equal(decode_compressed(data), rgb)


def test_jpeg_is_close_and_grey_becomes_three_channels() -> None:
    rgb = smooth_rgb(5, 64, 80)
    _, data = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 98])
    assert np.mean(np.abs(decode_compressed(data).astype(int) - rgb)) < 2.0
    _, grey = cv2.imencode(".jpg", rgb[:, :, 0])
    assert decode_compressed(grey).shape == rgb.shape


@pytest.mark.parametrize("extension", [".jpg", ".png"])
@pytest.mark.parametrize("kept", [0.0, 0.02, 0.3, 0.7, 0.98])
def test_truncated_files_are_refused(extension: str, kept: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    data = cv2.imencode(extension, noise)[1]
    with pytest.raises(ImageError, match="image"):
        decode_compressed(data[: int(kept * data.size)], "jpeg")


@given(st.binary(max_size=200), st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a"]))
def test_rubbish_is_refused(content: bytes, magic: bytes) -> None:
    with pytest.raises(ImageError):
        decode_compressed(np.frombuffer(magic + content, np.uint8), "jpeg")


def nv24(rgb: np.ndarray) -> np.ndarray:
    """The samples of an NV24 image: luma, then interleaved blue and red differences at full size."""
    luma, blue, red = cv2.split(yuv444(rgb))
    return np.concatenate([luma.reshape(-1), np.dstack([blue, red]).reshape(-1)])


@given(seed=seeds, height=halves, width=halves)
def test_nv24(seed: int, height: int, width: int) -> None:
    rgb = smooth_rgb(seed, height, width)
    decoded = decode_raw(RawImage("nv24", height, width, width, False, nv24(rgb)))
    assert np.abs(decoded.astype(int) - rgb).max() <= 4
    with pytest.raises(ImageError, match="padded rows"):
        decode_raw(RawImage("nv24", height, width, width + 1, False, np.zeros(4 * height * (width + 1), np.uint8)))


def test_one_channel_without_a_name_is_grey() -> None:
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
    np.testing.assert_array_equal(decode_raw(message("8UC1", grey)), np.repeat(grey[:, :, None], 3, axis=2))


def file_of(pixels: np.ndarray, suffix: str = ".png") -> np.ndarray:
    return np.frombuffer(cv2.imencode(suffix, pixels)[1].tobytes(), np.uint8)


@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_compressed_bayer_mosaic_gets_its_colours(pattern: str, dtype: type) -> None:
    """image_transport's compressed topic of a Bayer camera holds the grey mosaic."""
    mosaic = np.random.default_rng(1).integers(0, 256, (8, 10), dtype=np.uint8)
    wide = mosaic.astype(np.uint16) * 257 if dtype is np.uint16 else mosaic
    bits = 16 if dtype is np.uint16 else 8
    expected = decode_raw(message(f"bayer_{pattern}8", mosaic))
    np.testing.assert_array_equal(decode_compressed(file_of(wide), f"bayer_{pattern}{bits}; png compressed "), expected)


def test_a_compressed_bayer_picture_that_was_converted_stays_as_it_is() -> None:
    bgr = np.random.default_rng(2).integers(0, 256, (8, 10, 3), dtype=np.uint8)
    decoded = decode_compressed(file_of(bgr), "bayer_rggb8; png compressed bgr8")
    np.testing.assert_array_equal(decoded, bgr[:, :, ::-1])


@pytest.mark.parametrize("described", ["mono8; png compressed ", "mono16; png compressed mono16", "png", ""])
def test_a_grey_camera_is_grey(described: str) -> None:
    grey = np.arange(80, dtype=np.uint8).reshape(8, 10)
    decoded = decode_compressed(file_of(grey), described)
    np.testing.assert_array_equal(decoded, np.repeat(grey[:, :, None], 3, axis=2))


@pytest.mark.parametrize(
    ("described", "said"),
    [
        ("16UC1; png compressed ", "unknown encoding '16UC1'.*valid encodings"),
        ("32FC1; compressedDepth png", "unknown encoding '32FC1'.*valid encodings"),
        ("yuv422_yuy2; jpeg compressed mono8", "'yuv422_yuy2' has lost its colours"),
        ("rgb8; jpeg compressed mono8", "'rgb8' has lost its colours"),
    ],
)
def test_what_is_no_colour_picture_is_refused_as_on_the_raw_topic(described: str, said: str) -> None:
    grey = np.arange(80, dtype=np.uint8).reshape(8, 10)
    with pytest.raises(ImageError, match=said):
        decode_compressed(file_of(grey), described)
