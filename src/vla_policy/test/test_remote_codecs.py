# SPDX-License-Identifier: Apache-2.0
"""The wire formats: what is packed comes back, as the protocols' own packages read it too, and damage is refused."""

import base64
import io
import json
from contextlib import suppress

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from openpi_client import msgpack_numpy
from vla_policy.errors import ReplyError
from vla_policy.remote.codecs import gr00t, json_arrays, openpi, protobuf
from vla_policy.remote.codecs.arrays import actions_from, array_from, check_depth

DTYPES = st.one_of(
    hnp.boolean_dtypes(), hnp.integer_dtypes(), hnp.unsigned_integer_dtypes(), hnp.floating_dtypes(sizes=(16, 32, 64))
)
ARRAYS = hnp.arrays(DTYPES, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5))
LEAVES = ARRAYS | st.text(max_size=8) | st.integers(-(2**60), 2**60) | st.booleans() | st.none()
VALUES = st.dictionaries(st.text(max_size=8), LEAVES, max_size=4)
DAMAGED_ARRAYS = [
    ("|O", [1], bytes(8)),
    ("V8", [1], bytes(8)),
    ("<c16", [1], bytes(16)),
    ("<M8[s]", [1], bytes(8)),
    ("i4,i4", [1], bytes(8)),
    ("nonsense", [1], bytes(8)),
    ("<f4" * 9, [1], bytes(8)),
    (None, [1], bytes(8)),
    ("<f4", [3], bytes(8)),
    ("<f4", [2**39, 2**39], bytes(8)),
    ("<f4", [-1], bytes(8)),
    ("<f4", [True], bytes(4)),
    ("<f4", [1.0], bytes(4)),
    ("<f4", [1] * 9, bytes(4)),
    ("<f4", "2", bytes(8)),
    ("<f4", [2], "12345678"),
    ("<f4", [2], None),
]


def same(one: object, other: object) -> bool:
    """Whether two values are equal, arrays with type, shape and NaN."""
    if isinstance(one, np.ndarray):
        equal_nan = one.dtype.kind == "f"
        return one.dtype == other.dtype and np.array_equal(one, other, equal_nan=equal_nan)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return one == other


@given(VALUES)
def test_openpi_messages_come_back_and_are_those_of_openpis_own_client(value: dict) -> None:
    packed = openpi.pack(value)
    assert same(openpi.unpack(packed), value)
    assert packed == msgpack_numpy.packb(value)
    assert same(msgpack_numpy.unpackb(packed), value)


@given(ARRAYS.filter(lambda array: array.size > 0))
def test_openpi_scalars_come_back(array: np.ndarray) -> None:
    scalar = array.reshape(-1)[0]
    packed = openpi.pack({"x": scalar})
    assert packed == msgpack_numpy.packb({"x": scalar})
    assert same(np.asarray(openpi.unpack(packed)["x"]), np.asarray(scalar))


@pytest.mark.parametrize("codec", gr00t.CODECS)
@given(value=VALUES)
def test_both_gr00t_formats_come_back(codec: str, value: dict) -> None:
    assert same(gr00t.unpack(gr00t.pack(value, codec)), value)


def test_a_gr00t_array_in_fortran_order_and_a_modality_in_either_form() -> None:
    file = io.BytesIO()
    np.save(file, np.asfortranarray(np.arange(6.0).reshape(2, 3)))
    assert same(
        gr00t.unpack(msgpack.packb({"__ndarray_class__": True, "as_npy": file.getvalue()})),
        np.arange(6.0).reshape(2, 3),
    )
    config = {"delta_indices": [0], "modality_keys": ["wrist"]}
    for name in gr00t.MODALITY:
        for content in (config, json.dumps(config)):
            assert gr00t.unpack(msgpack.packb({"video": {name: True, "as_json": content}})) == {"video": config}


@given(st.dictionaries(st.text(max_size=8), ARRAYS | st.text(max_size=8), max_size=4))
def test_json_messages_come_back(value: dict) -> None:
    assert same(json_arrays.loads(json_arrays.dumps(value)), value)


@given(st.dictionaries(st.integers(1, 15), st.integers(0, 2**63 - 1) | st.binary(max_size=300), max_size=4))
def test_protocol_buffer_messages_come_back(fields: dict) -> None:
    assert protobuf.decode(protobuf.encode(fields)) == fields


@pytest.mark.parametrize("unpack", [openpi.unpack, gr00t.unpack, json_arrays.loads, protobuf.decode])
@given(data=st.binary(max_size=200))
def test_any_bytes_are_a_value_or_refused(unpack: object, data: bytes) -> None:
    with suppress(ReplyError):
        unpack(data)


@given(VALUES, st.integers(0, 10**6), st.integers(0, 255))
def test_damaged_messages_are_a_value_or_refused(value: dict, place: int, byte: int) -> None:
    for pack, unpack in (
        (openpi.pack, openpi.unpack),
        (lambda v: gr00t.pack(v, "npy"), gr00t.unpack),
        (lambda v: gr00t.pack(v, "numpy"), gr00t.unpack),
    ):
        data = bytearray(pack(value))
        data[place % len(data)] = byte
        for broken in (bytes(data), bytes(data[: place % len(data)])):
            with suppress(ReplyError):
                unpack(broken)


@pytest.mark.parametrize(("dtype", "shape", "data"), DAMAGED_ARRAYS)
def test_arrays_that_are_no_plain_numbers_or_of_another_size_are_refused(dtype, shape, data) -> None:
    with pytest.raises(ReplyError):
        array_from(dtype, shape, data)
    with pytest.raises(ReplyError):
        openpi.unpack(msgpack.packb({b"__ndarray__": True, b"data": data, b"dtype": dtype, b"shape": shape}))
    with pytest.raises(ReplyError):
        gr00t.unpack(msgpack.packb({b"nd": True, b"data": data, b"type": dtype, b"shape": shape, b"kind": b""}))
    text = base64.b64encode(data).decode() if isinstance(data, bytes) else data
    if not isinstance(data, str):
        with pytest.raises(ReplyError):
            json_arrays.loads(json.dumps({"__numpy__": text, "dtype": dtype, "shape": shape}))


def test_a_npy_file_that_claims_more_than_it_has_or_holds_objects_is_refused() -> None:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": False, "shape": (2**36,)})
    with pytest.raises(ReplyError, match="has 8 bytes"):
        gr00t.unpack(msgpack.packb({"__ndarray_class__": True, "as_npy": file.getvalue() + bytes(8)}))
    file = io.BytesIO()
    np.save(file, np.array([{}]), allow_pickle=True)
    with pytest.raises(ReplyError, match="valid are"):
        gr00t.unpack(msgpack.packb({"__ndarray_class__": True, "as_npy": file.getvalue()}))


@pytest.mark.parametrize("value", [{"x": {1}}, {"x": np.array([1j])}, {"x": np.array([None])}, {"x": object()}])
def test_what_cannot_be_sent_is_refused(value: dict) -> None:
    for pack in (openpi.pack, json_arrays.dumps, lambda v: gr00t.pack(v, "npy"), lambda v: gr00t.pack(v, "numpy")):
        with pytest.raises((ValueError, TypeError), match=r"cannot (be sent|serialize)"):
            pack(value)


def test_nesting_has_a_limit() -> None:
    value: object = 1
    for _ in range(40):
        value = [value]
    with pytest.raises(ReplyError, match="nested"):
        check_depth(value)
    for unpack, data in ((openpi.unpack, b"\x91" * 10_000 + b"\xc0"), (json_arrays.loads, "[" * 100_000)):
        with pytest.raises(ReplyError):
            unpack(data)


@given(
    hnp.arrays(np.float32, st.tuples(st.integers(1, 20), st.integers(1, 20)), elements=st.floats(-9e5, 9e5, width=32))
)
def test_actions_come_as_array_or_as_lists(actions: np.ndarray) -> None:
    for form in (actions, actions.tolist(), list(actions), actions.astype(np.float64)):
        assert same(actions_from(form), actions)
    assert same(actions_from(actions[0]), actions[:1])


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.zeros((2, 3, 4)), r"shape \(2, 3, 4\)"),
        (np.zeros((0, 3)), "shape"),
        (np.zeros((1001, 3)), "1000 steps"),
        (np.zeros((3, 257)), "256"),
        (np.float32(1.0), "valid is an array"),
        ([[1.0, float("nan")]], "nan at step 0, column 1"),
        ([[float("inf")]], "finite"),
        ([[1e7]], "magnitude"),
        ([[1.0], [1.0, 2.0]], "no array"),
        ("actions", "valid is an array"),
        ([["a"]], "numbers"),
        ([], "numbers"),
        (None, "valid is an array"),
        ({"x": 1}, "a map with x"),
        (np.array(["a"]), "numbers"),
    ],
)
def test_actions_of_another_shape_or_without_sound_numbers_are_refused(value: object, words: str) -> None:
    with pytest.raises(ReplyError, match=words):
        actions_from(value)
