# SPDX-License-Identifier: Apache-2.0
"""Joint states and poses at the image's time."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation, Slerp
from vla_core.rotation import slerp
from vla_perception.errors import StateError
from vla_perception.state.joint_state_buffer import JointStateBuffer, gripper_width
from vla_perception.state.pose_buffer import PoseBuffer
from vla_perception.state.stamped_ring import NS_PER_S

MS = 1_000_000
EPOCH = 1_700_000_000 * NS_PER_S


def filled(count: int = 21, period_ms: int = 10) -> JointStateBuffer:
    """Joint a moves at 1 rad/s and joint b at -2 rad/s."""
    buffer = JointStateBuffer(["a", "b"])
    for k in range(count):
        t = k * period_ms / 1000
        buffer.insert(EPOCH + k * period_ms * MS, ["b", "a", "other"], [-2 * t, t, 9.0], [-2.0, 1.0, 0.0])
    return buffer


@given(offset_us=st.integers(0, 200_000))
def test_uniform_motion_is_interpolated_exactly(offset_us: int) -> None:
    sample = filled().at(EPOCH + offset_us * 1000)
    assert sample.names == ("a", "b")
    assert sample.missing == ()
    np.testing.assert_allclose(sample.position, [offset_us / 1e6, -2 * offset_us / 1e6], atol=1e-9)
    np.testing.assert_allclose(sample.velocity, [1.0, -2.0])
    assert 0.0 <= sample.gap_s < 0.010


@pytest.mark.parametrize(("offset_ms", "expected"), [(-40, 0.0), (240, 0.2)])
def test_outside_the_nearest_is_used_and_the_gap_reported(offset_ms: int, expected: float) -> None:
    sample = filled().at(EPOCH + offset_ms * MS)
    assert sample.position[0] == pytest.approx(expected)
    assert sample.gap_s == pytest.approx(0.04)


@given(st.permutations(range(20)))
def test_order_of_arrival_does_not_matter(order: list[int]) -> None:
    buffer = JointStateBuffer(["a"])
    for k in order:
        buffer.insert(EPOCH + k * 10 * MS, ["a"], [k * 0.01])
    assert buffer.at(EPOCH + 55 * MS).position[0] == pytest.approx(0.055)
    assert buffer.newest_ns == EPOCH + 190 * MS


def test_a_clock_set_back_clears_and_recovers() -> None:
    buffer = filled()
    assert buffer.insert(EPOCH - 5 * NS_PER_S, ["a", "b"], [7.0, 8.0])
    assert buffer.at(EPOCH - 5 * NS_PER_S).position.tolist() == [7.0, 8.0]
    assert buffer.newest_ns == EPOCH - 5 * NS_PER_S


def test_a_forward_jump_is_not_bridged() -> None:
    buffer = filled()
    buffer.insert(EPOCH + 100 * NS_PER_S, ["a", "b"], [50.0, 50.0])
    sample = buffer.at(EPOCH + 40 * NS_PER_S)
    assert sample.position[0] == pytest.approx(0.2)
    assert sample.gap_s > 39


def test_arm_and_gripper_in_separate_messages() -> None:
    buffer = JointStateBuffer(["arm", "finger"])
    for k in range(11):
        buffer.insert(EPOCH + k * 10 * MS, ["arm"], [0.01 * k])
    only_arm = buffer.at(EPOCH)
    assert only_arm.names == ("arm",)
    assert only_arm.missing == ("finger",)
    buffer.insert(EPOCH + 40 * MS, ["finger"], [0.02])
    sample = buffer.at(EPOCH + 55 * MS)
    np.testing.assert_allclose(sample.position, [0.055, 0.02])
    assert sample.gap_s == pytest.approx(0.015)
    assert sample.velocity.size == 0
    assert buffer.newest_ns == EPOCH + 40 * MS


def test_extending_takes_all_that_the_driver_sends() -> None:
    buffer = JointStateBuffer(extend=True)
    assert math.isinf(buffer.at(EPOCH).gap_s)
    buffer.insert(EPOCH, ["z", "y"], [1.0, 2.0])
    assert buffer.at(EPOCH).names == ("z", "y")


def test_extending_waits_for_the_message_with_the_named_joints() -> None:
    buffer = JointStateBuffer(["arm"], extend=True)
    buffer.insert(EPOCH, ["wheel"], [1.0])
    assert buffer.names == ("arm",)
    buffer.insert(EPOCH, ["finger", "arm"], [0.1, 0.2])
    buffer.insert(EPOCH, ["wheel", "arm", "finger"], [1.0, 0.2, 0.1])
    sample = buffer.at(EPOCH)
    assert sample.names == ("arm", "finger")
    np.testing.assert_allclose(sample.position, [0.2, 0.1])


@given(st.integers(1, 50), st.lists(st.integers(0, 300), min_size=1, max_size=80))
def test_memory_is_bounded(capacity: int, stamps: list[int]) -> None:
    buffer = JointStateBuffer(["a"], capacity=capacity)
    for stamp in stamps:
        buffer.insert(EPOCH + stamp * MS, ["a"], [float(stamp)])
    assert buffer.newest_ns == EPOCH + max(stamps) * MS
    assert buffer.at(EPOCH + max(stamps) * MS).position[0] == max(stamps)


@pytest.mark.parametrize(
    ("names", "position", "velocity"),
    [
        (["a", "b"], [1.0], []),
        ([], [], []),
        (["a"], [1.0], [1.0, 2.0]),
        (["a"], [math.nan], []),
        (["a"], [math.inf], []),
        (["a", "a"], [1.0, 2.0], []),
    ],
)
def test_malformed_joint_states_change_nothing(names: list, position: list, velocity: list) -> None:
    buffer = filled()
    with pytest.raises(StateError, match=r"valid|must"):
        buffer.insert(EPOCH + NS_PER_S, names, position, velocity)
    assert buffer.newest_ns == EPOCH + 200 * MS


@given(st.floats(0, 0.04), st.floats(0, 0.04))
def test_gripper_width_ignores_the_sign_convention(left: float, right: float) -> None:
    buffer = JointStateBuffer(["arm", "l", "r"])
    buffer.insert(EPOCH, ["arm", "l", "r"], [1.0, left, -right])
    sample = buffer.at(EPOCH)
    assert gripper_width(sample, ["l", "r"]) == pytest.approx(left + right)
    assert gripper_width(sample, ["l"]) == pytest.approx(2 * left)
    assert math.isnan(gripper_width(sample, []))
    assert math.isnan(gripper_width(sample, ["l", "none"]))


quaternions = st.integers(0, 2**32 - 1).map(lambda seed: Rotation.random(rng=np.random.default_rng(seed)).as_quat())


@given(quaternions, quaternions, st.floats(0, 1), st.sampled_from([-1.0, 1.0]))
def test_slerp_agrees_with_scipy(start: np.ndarray, end: np.ndarray, fraction: float, sign: float) -> None:
    expected = Slerp([0, 1], Rotation.from_quat([start, end]))(fraction)
    got = slerp(start, sign * end, fraction)
    assert np.linalg.norm(got) == pytest.approx(1.0)
    assert (Rotation.from_quat(got) * expected.inv()).magnitude() < 1e-6


@given(quaternions, st.floats(0, 1e-3), st.floats(0, 1))
def test_slerp_of_nearly_equal_rotations(start: np.ndarray, angle: float, fraction: float) -> None:
    end = (Rotation.from_rotvec([0, angle, 0]) * Rotation.from_quat(start)).as_quat()
    turned = Rotation.from_quat(slerp(start, end, fraction)) * Rotation.from_quat(start).inv()
    assert turned.magnitude() == pytest.approx(fraction * angle, abs=1e-7)


def test_pose_between_two_stamps() -> None:
    buffer = PoseBuffer()
    assert buffer.at(EPOCH) is None
    buffer.insert(EPOCH, [0, 0, 0], [0, 0, 0, 2])
    buffer.insert(EPOCH + 10 * MS, [1, 2, 3], Rotation.from_rotvec([0, 0, 1.0]).as_quat())
    sample = buffer.at(EPOCH + 4 * MS)
    assert sample is not None
    np.testing.assert_allclose(sample.position, [0.4, 0.8, 1.2])
    np.testing.assert_allclose(Rotation.from_quat(sample.quaternion_xyzw).as_rotvec(), [0, 0, 0.4], atol=1e-9)
    assert sample.gap_s == pytest.approx(0.006)


@pytest.mark.parametrize("quaternion", [[0, 0, 0, 0], [0, 0, 0, math.nan]])
def test_malformed_poses_are_refused(quaternion: list) -> None:
    with pytest.raises(StateError, match="valid"):
        PoseBuffer().insert(EPOCH, [0, 0, 0], quaternion)


ARM = ["a1", "a2", "finger"]


def test_foreign_joints_without_a_value_do_no_harm() -> None:
    """Wheels whose position is NaN ride along in the arm's message, from the first one or later."""
    for extend in (True, False):
        buffer = JointStateBuffer(ARM, extend=extend)
        buffer.insert(EPOCH, [*ARM, "left_wheel", "right_wheel"], [0.1, 0.2, 0.03, math.nan, math.nan])
        buffer.insert(EPOCH + 10 * MS, ["left_wheel", *ARM], [math.nan, 0.1, 0.2, 0.03])
        sample = buffer.at(EPOCH + 10 * MS)
        assert sample.names == tuple(ARM)
        np.testing.assert_allclose(sample.position, [0.1, 0.2, 0.03])
        assert sample.gap_s == 0.0


def test_an_extra_joint_that_loses_its_value_is_left_out() -> None:
    buffer = JointStateBuffer(["arm"], extend=True)
    buffer.insert(EPOCH, ["arm", "camera_tilt"], [0.1, 0.5])
    buffer.insert(EPOCH + 500 * MS, ["arm", "camera_tilt"], [0.2, math.nan])
    assert buffer.at(EPOCH + 500 * MS, 0.1).names == ("arm",)


def test_a_wanted_joint_without_a_value_is_refused() -> None:
    buffer = JointStateBuffer(ARM, extend=True)
    with pytest.raises(StateError, match=r"'a2'.* must be finite"):
        buffer.insert(EPOCH, [*ARM, "wheel"], [0.1, math.nan, 0.03, 1.0])


def test_messages_of_other_joints_are_none_of_ours() -> None:
    buffer = JointStateBuffer(ARM)
    assert not buffer.insert(EPOCH, ["wheel"], [], [1.0])  # a velocity-only message
    assert buffer.newest_ns is None


def test_joints_that_went_silent_are_left_out_and_named() -> None:
    buffer = JointStateBuffer(["arm", "finger"])
    buffer.insert(EPOCH, ["finger"], [0.02])
    for k in range(11):
        buffer.insert(EPOCH + k * 100 * MS, ["arm"], [0.1 * k])
    sample = buffer.at(EPOCH + 1000 * MS, 0.1)
    assert (sample.names, sample.stale, sample.missing) == (("arm",), ("finger",), ("finger",))
    assert sample.gap_s == pytest.approx(1.0)
    assert math.isnan(gripper_width(sample, ["finger"]))


def test_a_joint_that_was_missing_for_a_while_does_not_count_as_old_for_good() -> None:
    buffer = JointStateBuffer(("a", "b"))
    for k in range(30):
        names = ("b",) if 10 <= k < 20 else ("a", "b")
        buffer.insert(EPOCH + k * 10_000_000, names, [0.1] * len(names))
    latest = EPOCH + 29 * 10_000_000
    assert buffer.at(latest).gap_s == 0.0
    assert buffer.newest_ns == latest
