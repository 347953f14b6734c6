# SPDX-License-Identifier: Apache-2.0
"""The tree of a URDF: transforms of every kind of joint, and what is refused."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from vla_core.urdf.tree import UrdfError, parse_urdf

TEXT = """<robot name="r">
  <link name="base"/><link name="arm"/><link name="hand"/><link name="left"/><link name="right"/>
  <joint name="turn" type="revolute">
    <parent link="base"/><child link="arm"/><origin xyz="0 0 0.5"/><axis xyz="0 0 2"/>
  </joint>
  <joint name="mount" type="fixed">
    <parent link="arm"/><child link="hand"/><origin xyz="1 0 0" rpy="0 0 1.5707963267948966"/>
  </joint>
  <joint name="slide" type="prismatic">
    <parent link="hand"/><child link="left"/><origin rpy="0 0 1.5707963267948966"/><axis xyz="1 0 0"/>
  </joint>
  <joint name="other" type="prismatic">
    <parent link="hand"/><child link="right"/><axis xyz="1 0 0"/><mimic joint="slide" multiplier="-2" offset="0.1"/>
  </joint>
</robot>"""


@given(st.floats(-3.0, 3.0), st.floats(0.0, 0.1))
def test_joints_turn_slide_and_mimic(angle: float, travel: float) -> None:
    tree = parse_urdf(TEXT)
    assert tree.root == "base"
    assert [joint.name for joint in tree.fixed] == ["mount"]
    poses = {joint.name: pose for joint, pose in tree.moved({"turn": angle, "slide": travel, "unknown": 1.0})}
    assert set(poses) == {"turn", "slide", "other"}
    np.testing.assert_allclose(poses["turn"].position, (0.0, 0.0, 0.5))
    np.testing.assert_allclose(poses["turn"].quaternion, (0, 0, math.sin(angle / 2), math.cos(angle / 2)), atol=1e-12)
    np.testing.assert_allclose(poses["slide"].position, (0.0, travel, 0.0), atol=1e-12)  # x of the turned child
    np.testing.assert_allclose(poses["other"].position, (0.1 - 2.0 * travel, 0.0, 0.0), atol=1e-12)


def test_the_axis_of_a_fixed_joint_does_not_count() -> None:
    mounted = TEXT.replace('<child link="hand"/>', '<child link="hand"/><axis xyz="0 0 0"/>')
    assert [joint.name for joint in parse_urdf(mounted).fixed] == ["mount"]


def test_joints_without_a_finite_position_are_left_out() -> None:
    assert parse_urdf(TEXT).moved({"turn": math.nan}) == ()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("</robot>", "", "not XML"),
        ("robot", "model", "<model>"),
        ('type="fixed"', 'type="floating"', "floating"),
        ('xyz="0 0 2"', 'xyz="0 0 0"', "zero axis"),
        ('xyz="1 0 0" rpy', 'xyz="1 0" rpy', "3 finite numbers"),
        ('xyz="1 0 0" rpy', 'xyz="1 0 nan" rpy', "3 finite numbers"),
        ('<child link="arm"/>', '<child link="leg"/>', "'leg'"),
        ('<child link="right"/>', '<child link="left"/>', "several"),
        ('<link name="right"/>', '<link name="right"/><link name="loose"/>', "loose"),
        ('<parent link="base"/>', "", "parent"),
        ('mimic joint="slide"', 'mimic joint="none"', "mimics"),
    ],
)
def test_what_is_no_tree_is_refused_with_the_reason(old: str, new: str, words: str) -> None:
    with pytest.raises(UrdfError, match=words):
        parse_urdf(TEXT.replace(old, new))
