# SPDX-License-Identifier: Apache-2.0
"""TensorFlow's checkpoint format is read as it is written, and nothing else is."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from vla_training.convert.bundle import Bundle, BundleError, wire
from vla_training.convert.bundle.crc32c import POLYNOMIAL, crc32c
from vla_training.convert.bundle.snappy import decompress
from vla_training.convert.bundle.table import read_table

RNG = np.random.default_rng(3)
TENSORS = {
    "a/kernel": RNG.normal(size=(3, 4, 5)).astype(np.float32),
    "a/bias": RNG.normal(size=(5,)).astype(np.float32),
    "count": np.array(7, np.int64),
    "empty": np.zeros((0, 4), np.float32),
    "graph": b"some text of an object graph",
    **{f"layer-{index}/gamma": np.full(index, float(index), np.float32) for index in range(40)},
}


def bitwise(data: bytes) -> int:
    register = 0xFFFFFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (POLYNOMIAL if register & 1 else 0)
    return register ^ 0xFFFFFFFF


@given(st.binary(max_size=40))
def test_checksum_of_short_data(data: bytes) -> None:
    assert crc32c(data) == bitwise(data)


@pytest.mark.parametrize("size", [2047, 4096, 9001])
def test_checksum_of_long_data(size: int) -> None:
    data = RNG.bytes(size)
    assert crc32c(data) == bitwise(data)


def test_checksum_of_the_standard() -> None:
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA  # RFC 3720, B.4


def test_snappy_literals_and_copies(bundles: ModuleType) -> None:
    assert decompress(bundles.literal(b"x" * 200)) == b"x" * 200
    assert decompress(bytes([6, 1 << 2]) + b"ab" + bytes([0 << 2 | 1, 2])) == b"ababab"  # overlapping, offset of 1 byte
    assert decompress(bytes([8, 3 << 2]) + b"abcd" + bytes([3 << 2 | 2, 4, 0])) == b"abcdabcd"  # offset of 2 bytes
    long = bytes(range(100))
    assert decompress(bytes([100, 60 << 2, 99]) + long) == long  # length in a byte of its own


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (bytes([3, 1 << 2]) + b"ab", "header says 3"),
        (bytes([9, 8 << 2]) + b"ab", "inside a literal"),
        (bytes([4, 0]) + b"a" + bytes([1, 9]), "copies from 9"),
        (b"\xff\xff\xff\xff\x7f", "claims"),
        (b"\xff" * 12, "does not end"),
    ],
)
def test_damaged_snappy_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(BundleError, match=said):
        decompress(data)


@given(st.binary(max_size=200))
def test_garbage_is_refused_by_its_reader(data: bytes) -> None:
    for read in (decompress, lambda each: list(wire.fields(each)), lambda each: list(read_table(each))):
        with contextlib.suppress(BundleError):
            read(data)


@pytest.mark.parametrize("snappy", [False, True])
def test_what_was_written_is_read(tmp_path: Path, bundles: ModuleType, snappy: bool) -> None:
    bundles.write_bundle(tmp_path / "ckpt-3", TENSORS, snappy)
    bundle = Bundle(tmp_path / "ckpt-3")
    assert set(bundle.entries) == set(TENSORS)
    for name, value in TENSORS.items():
        if isinstance(value, bytes):
            assert bundle.string(name) == value
        else:
            np.testing.assert_array_equal(bundle.array(name), value)
            assert bundle.array(name).shape == value.shape


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 0x10
    path.write_bytes(data)


def data_file(folder: Path) -> Path:
    return folder / "ckpt-3.data-00000-of-00001"


FAULTS: dict[str, tuple[Callable[[Path, ModuleType], object], str]] = {
    "index_gone": (lambda folder, _: (folder / "ckpt-3.index").unlink(), "ckpt-3.index is missing"),
    "data_gone": (lambda folder, _: data_file(folder).unlink(), "data-00000-of-00001 is missing"),
    "index_short": (lambda folder, _: (folder / "ckpt-3.index").write_bytes(b"abc"), "3 bytes"),
    "index_of_another_kind": (lambda folder, _: (folder / "ckpt-3.index").write_bytes(bytes(99)), "a table ends in"),
    "index_bit": (lambda folder, _: flip(folder / "ckpt-3.index", 20), "checksum"),
    "data_cut": (lambda folder, _: data_file(folder).write_bytes(bytes(64)), "truncated: it has 64 bytes"),
    "lfs": (
        lambda folder, _: data_file(folder).write_bytes(b"version https://git-lfs.github.com/spec/v1\n"),
        "pointer of Git LFS",
    ),
    "big_endian": (
        lambda folder, writer: (folder / "ckpt-3.index").write_bytes(
            writer.table({b"": writer.field(1, 1) + writer.field(2, 1)})
        ),
        "big-endian",
    ),
    "many_shards": (
        lambda folder, writer: (folder / "ckpt-3.index").write_bytes(writer.table({b"": writer.field(1, 1 << 40)})),
        "valid are 1 to 1000",
    ),
    "sliced": (
        lambda folder, writer: (folder / "ckpt-3.index").write_bytes(
            writer.table({b"": writer.field(1, 1), b"v": writer.field(7, b"")})
        ),
        "slices",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_damage_is_refused(tmp_path: Path, bundles: ModuleType, fault: str) -> None:
    bundles.write_bundle(tmp_path / "ckpt-3", TENSORS)
    change, said = FAULTS[fault]
    change(tmp_path, bundles)
    with pytest.raises(BundleError, match=said):
        Bundle(tmp_path / "ckpt-3")


def test_a_flipped_number_is_found(tmp_path: Path, bundles: ModuleType) -> None:
    bundles.write_bundle(tmp_path / "ckpt-3", TENSORS)
    bundle = Bundle(tmp_path / "ckpt-3")
    flip(data_file(tmp_path), bundle.entries["a/kernel"].offset + 17)
    with pytest.raises(BundleError, match="a/kernel is damaged"):
        bundle.array("a/kernel")
    with pytest.raises(BundleError, match="no tensor b"):
        bundle.array("b")
    with pytest.raises(BundleError, match="type 7"):
        bundle.array("graph")
    with pytest.raises(BundleError, match="valid is 7"):
        bundle.string("a/bias")
