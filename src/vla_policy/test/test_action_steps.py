# SPDX-License-Identifier: Apache-2.0
"""Action vectors to steps and back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vla_core.action import ActionStep, ActionValueError
from vla_core.rotation import rotation_vector_from_rpy, rpy_from_rotation_vector
from vla_policy.action.presets import JOINT, OPENVLA, PRESETS, RT1, RT1_TABLETOP, RT2
from vla_policy.action.space import ActionSpace
from vla_policy.action.steps import step_from_vector, vector_from_step

PERIOD = 0.2


def draw_vector(data: st.DataObject, space: ActionSpace) -> np.ndarray:
    return np.array(
        [
            data.draw(st.integers(0, int(d.high)).map(float) if d.discrete else st.floats(d.low, d.high))
            for d in space.dimensions
        ]
    )


def assert_same(a: ActionStep, b: ActionStep) -> None:
    for name in ("translation", "rotation_vector", "base", "gripper"):
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), atol=1e-9, err_msg=name)
    assert a.terminate == b.terminate
    if a.joints is not None:
        np.testing.assert_allclose(a.joints, b.joints)


@settings(max_examples=200, deadline=None)
@given(st.data(), st.sampled_from(sorted(PRESETS)))
def test_a_step_survives_the_way_to_a_vector_and_back(data: st.DataObject, name: str) -> None:
    space = PRESETS[name]
    step = step_from_vector(space, draw_vector(data, space), PERIOD)
    assert step.is_finite()
    assert np.isnan(step.gripper) or 0.0 <= step.gripper <= 1.0
    assert_same(step_from_vector(space, vector_from_step(space, step, PERIOD), PERIOD), step)


def vector(space: ActionSpace, **values: float) -> np.ndarray:
    result = np.zeros(len(space.dimensions))
    for name, value in values.items():
        result[space.index(name)] = value
    return result


@pytest.mark.parametrize("space", [RT1, RT1_TABLETOP])
def test_the_mode_picks_the_part_that_moves(space: ActionSpace) -> None:
    mode = space.dimensions[space.index("mode")].categories
    assert mode == ("terminate", "arm", "base")
    values = {"x": 0.05, "yaw": 0.1, "base_x": 0.2, "gripper": 1.0}
    end, arm, base = (step_from_vector(space, vector(space, mode=m, **values), PERIOD) for m in range(3))
    assert end.terminate
    assert not end.translation.any()
    assert not end.base.any()
    assert arm.translation[0] == 0.05
    assert arm.rotation_vector[2] == 0.1
    assert not arm.base.any()
    assert not arm.terminate
    assert base.base[0] > 0
    assert not base.translation.any()
    assert np.isnan(base.gripper)


def test_base_displacements_become_velocities_only_where_the_unit_says_so() -> None:
    assert step_from_vector(RT1, vector(RT1, mode=2, base_x=0.2), PERIOD).base[0] == pytest.approx(1.0)
    assert step_from_vector(JOINT, vector(JOINT, base_x=0.2), PERIOD).base[0] == pytest.approx(0.2)


def test_gripper_senses() -> None:
    def closing(value: float) -> float:
        return step_from_vector(RT2, vector(RT2, gripper=value), PERIOD).gripper

    assert closing(1.0) == 0.0
    assert closing(-1.0) == 1.0
    assert np.isnan(closing(0.0))
    assert step_from_vector(OPENVLA, vector(OPENVLA, gripper=1.0), PERIOD).gripper == 1.0
    assert step_from_vector(OPENVLA, vector(OPENVLA, gripper=-1.0), PERIOD).gripper == 0.0


def test_rt2_terminates_by_its_first_number() -> None:
    assert step_from_vector(RT2, vector(RT2, terminate=1, x=0.5), PERIOD).terminate
    assert step_from_vector(RT2, vector(RT2, terminate=0, x=0.5), PERIOD).translation[0] == 0.5


@settings(max_examples=100, deadline=None)
@given(st.floats(-3.1, 3.1), st.floats(-1.5, 1.5), st.floats(-3.1, 3.1))
def test_rpy_and_rotation_vector_are_inverse(roll: float, pitch: float, yaw: float) -> None:
    rpy = np.array([roll, pitch, yaw])
    rotation_vector = rotation_vector_from_rpy(rpy)
    assert np.linalg.norm(rotation_vector) <= np.pi + 1e-9
    np.testing.assert_allclose(rpy_from_rotation_vector(rotation_vector), rpy, atol=1e-6)


@pytest.mark.parametrize("axis", range(3))
def test_a_rotation_about_one_axis_is_the_same_in_both_forms(axis: int) -> None:
    angles = np.zeros(3)
    angles[axis] = 0.3
    np.testing.assert_allclose(rotation_vector_from_rpy(angles), angles, atol=1e-12)


def test_bad_vectors_and_steps_are_refused() -> None:
    for bad in (np.zeros(10), np.full(11, np.nan), np.zeros((1, 11))):
        with pytest.raises(ActionValueError, match="order"):
            step_from_vector(RT1, bad, PERIOD)
    with pytest.raises(ActionValueError, match="index of"):
        step_from_vector(RT1, vector(RT1, mode=3), PERIOD)
    with pytest.raises(ActionValueError, match="7 for joint"):
        vector_from_step(JOINT, ActionStep(), PERIOD)
