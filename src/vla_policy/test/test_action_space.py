# SPDX-License-Identifier: Apache-2.0
"""Action spaces as data: presets, JSON round trip, refusals."""

import copy
import json
from typing import Any

import pytest
from vla_policy.action.presets import PRESETS, RT1_TABLETOP, preset
from vla_policy.action.space import ActionSpace, Dimension, discrete
from vla_policy.errors import ActionSpaceError


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_json_round_trip_is_exact(name: str) -> None:
    space = preset(name)
    assert ActionSpace.from_dict(json.loads(json.dumps(space.to_dict()))) == space


def test_presets_have_the_published_sizes_and_order() -> None:
    assert {name: len(space.dimensions) for name, space in PRESETS.items()} == {
        "rt1": 11,
        "rt2": 8,
        "openvla": 7,
        "joint": 11,
        "rt1_tabletop": 11,
        "rt2_tabletop": 8,
    }
    assert preset("rt2").names[0] == "terminate"
    assert RT1_TABLETOP.names == (
        "x",
        "y",
        "z",
        "roll",
        "pitch",
        "yaw",
        "gripper",
        "base_x",
        "base_y",
        "base_yaw",
        "mode",
    )


def test_an_unknown_preset_is_refused_with_the_list() -> None:
    with pytest.raises(ActionSpaceError, match="joint, openvla, rt1, rt1_tabletop, rt2, rt2_tabletop"):
        preset("rt3")


def change(data: dict[str, Any], path: tuple[Any, ...], value: object) -> dict[str, Any]:
    data = copy.deepcopy(data)
    node: Any = data
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    return data


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("format",), "other/2", "vla_action_space/1"),
        (("bins",), 1, "2 to 65536"),
        (("bins",), 256.0, "2 to 65536"),
        (("bins",), True, "2 to 65536"),
        (("bins",), 2, "more categories"),
        (("rounding",), "up", "truncate, nearest, centres"),
        (("mode",), 3, "ee_delta, ee_pose"),
        (("delta_reference",), None, "observed, commanded"),
        (("rotation",), "quaternion", "rotation_vector, rpy"),
        (("name",), 5, "text"),
        (("dimensions",), {}, "list"),
        (("dimensions",), [], "at least one"),
        (("dimensions", 0), "x", "dimension is str"),
        (("dimensions", 0, "low"), 1.0, "low < high"),
        (("dimensions", 0, "low"), "0", "valid is a number"),
        (("dimensions", 0, "high"), float("nan"), "finite"),
        (("dimensions", 0, "high"), float("inf"), "finite"),
        (("dimensions", 1, "name"), "x", "repeat"),
        (("dimensions", 0, "name"), "", "valid is a word"),
        (("dimensions", 10, "categories"), ["a", "a", "b"], "distinct"),
        (("dimensions", 10, "categories"), ["a", "b"], r"\[0, 1\]"),
        (("dimensions", 10, "categories"), "abc", "list of texts"),
        (("surprise",), 1, "unknown"),
    ],
)
def test_bad_descriptions_are_refused_with_what_is_valid(path: tuple[Any, ...], value: object, message: str) -> None:
    with pytest.raises(ActionSpaceError, match=message):
        ActionSpace.from_dict(change(RT1_TABLETOP.to_dict(), path, value))


def test_a_missing_key_and_a_non_object_are_refused() -> None:
    data = RT1_TABLETOP.to_dict()
    del data["frame"]
    with pytest.raises(ActionSpaceError, match=r"missing.*frame"):
        ActionSpace.from_dict(data)
    with pytest.raises(ActionSpaceError, match="valid is an object"):
        ActionSpace.from_dict([])  # type: ignore[arg-type]


def test_ranges_can_be_replaced_by_name() -> None:
    space = preset("openvla").with_ranges({"x": (-0.02, 0.03)})
    assert (space.dimensions[0].low, space.dimensions[0].high) == (-0.02, 0.03)
    assert space.dimensions[1:] == preset("openvla").dimensions[1:]
    with pytest.raises(ActionSpaceError, match="valid are x, y"):
        space.with_ranges({"elbow": (0, 1)})


def test_degenerate_dimensions_are_refused() -> None:
    for low, high in ((1.0, 1.0), (2.0, 1.0), (1e9, 1e9 + 1)):
        with pytest.raises(ActionSpaceError):
            Dimension("x", low, high, "m")
    with pytest.raises(ActionSpaceError):
        discrete("mode", "only")
