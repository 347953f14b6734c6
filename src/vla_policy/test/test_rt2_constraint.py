# SPDX-License-Identifier: Apache-2.0
"""Legal bins: what limits leave of a dimension's bins, checked against the motion that they decode to."""

from __future__ import annotations

import dataclasses
import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vla_core.action import ActionValueError
from vla_core.rotation import rotation_vector_from_rpy
from vla_policy.action.presets import JOINT, OPENVLA, PRESETS, RT1_TABLETOP, RT2
from vla_policy.action.space import ActionSpace, DeltaReference, Dimension, RotationFormat, Rounding
from vla_policy.action.steps import step_from_vector
from vla_policy.action.tokenizer import ActionTokenizer
from vla_policy.errors import ActionRefusedError, ConfigurationError
from vla_policy.policy import Observation
from vla_policy.rt2.decoding.constraint import LegalBins, MotionLimits

PERIOD_S = 0.2
BOX = MotionLimits((0.2, -0.4, 0.02), (0.7, 0.4, 0.6), linear_speed=0.25, angular_speed=1.0)
INSIDE = (0.45, 0.0, 0.3)


def observation(position: tuple[float, float, float]) -> Observation:
    image = np.zeros((2, 2, 3), np.uint8)
    return Observation(0.0, {"front": image}, (), np.zeros(0), np.array(position), np.array([0.0, 0.0, 0.0, 1.0]), 0.0)


def draw(legal: LegalBins, seen: Observation | None, seed: int) -> list[int]:
    """A random action of legal bins."""
    random, chosen = np.random.default_rng(seed), []
    for dimension in range(len(legal.sizes)):
        chosen.append(int(random.choice(np.flatnonzero(legal.legal(dimension, chosen, seen)))))
    return chosen


@pytest.mark.parametrize("space", PRESETS.values(), ids=lambda space: space.name)
def test_without_limits_the_dimension_has_its_size(space: ActionSpace) -> None:
    legal = LegalBins(space)
    assert not legal.narrows
    chosen: list[int] = []
    for dimension, size in enumerate(space.sizes):
        mask = legal.legal(dimension, chosen, observation(INSIDE))
        assert np.flatnonzero(mask).tolist() == list(range(size))
        assert mask.shape == (space.bins,)
        chosen.append(size - 1)


@given(
    name=st.sampled_from(["rt1", "rt2", "openvla", "rt1_tabletop"]),
    position=st.tuples(st.floats(-1.0, 1.5), st.floats(-1.0, 1.0), st.floats(-0.5, 1.2)),
    seed=st.integers(0, 10_000),
)
@settings(max_examples=60, deadline=None)
def test_every_legal_action_keeps_the_limits(name: str, position: tuple[float, float, float], seed: int) -> None:
    space = PRESETS[name]
    tokens = draw(LegalBins(space, BOX, PERIOD_S), observation(position), seed)
    tokenizer = ActionTokenizer(space)
    step = step_from_vector(space, tokenizer.rest(tokenizer.decode(tokens)), PERIOD_S)
    target = np.array(position) + step.translation
    low, high = (np.array(corner) for corner in (BOX.workspace_low, BOX.workspace_high))
    assert (target >= np.minimum(low, position) - 1e-9).all()
    assert (target <= np.maximum(high, position) + 1e-9).all()
    assert np.linalg.norm(step.translation) <= BOX.linear_speed * PERIOD_S + 1e-6
    assert np.linalg.norm(step.rotation_vector) <= BOX.angular_speed * PERIOD_S + 1e-6


def test_narrowing_takes_no_more_than_needed() -> None:
    legal = LegalBins(RT1_TABLETOP, BOX, PERIOD_S)
    x = np.linspace(-0.06, 0.06, 256)
    near_wall = legal.legal(0, [], observation((0.69, 0.0, 0.3)))
    assert np.array_equal(near_wall, (x <= 0.01) & (np.abs(x) <= 0.05))
    fast_x = int(np.abs(x - 0.04).argmin())
    y = legal.legal(1, [fast_x], observation(INSIDE))
    assert np.array_equal(y, np.hypot(x[fast_x], x) <= 0.05)


@pytest.mark.parametrize("axis", range(3))
def test_outside_the_box_only_the_way_back_or_rest(axis: int) -> None:
    legal = LegalBins(RT1_TABLETOP, BOX, PERIOD_S)
    position = list(INSIDE)
    position[axis] = BOX.workspace_high[axis] + 0.2
    rest = [127, 127, 127][:axis]
    allowed = np.flatnonzero(legal.legal(axis, rest, observation((position[0], position[1], position[2]))))
    assert allowed.max() == 128  # bins 127 and 128 lie half a bin beside zero and decode to rest
    assert allowed.min() < 64


def test_a_range_without_rest_is_refused_where_nothing_fits() -> None:
    rising = dataclasses.replace(
        RT2, dimensions=tuple(Dimension("z", 0.02, 0.06, "m") if d.name == "z" else d for d in RT2.dimensions)
    )
    legal = LegalBins(rising, BOX, PERIOD_S)
    assert legal.legal(3, [0, 127, 127], observation((0.45, 0.0, 0.3))).any()
    with pytest.raises(ActionRefusedError, match=r"every z from 0\.02 to 0\.06 m leaves the workspace"):
        legal.legal(3, [0, 127, 127], observation((0.45, 0.0, 0.6)))


def test_no_box_without_a_known_pose() -> None:
    commanded = dataclasses.replace(RT1_TABLETOP, delta_reference=DeltaReference.COMMANDED)
    at_wall = observation((0.7, 0.0, 0.3))
    free = LegalBins(RT1_TABLETOP, BOX, PERIOD_S).legal(0)
    assert np.array_equal(LegalBins(commanded, BOX, PERIOD_S).legal(0, [], at_wall), free)
    assert not np.array_equal(LegalBins(RT1_TABLETOP, BOX, PERIOD_S).legal(0, [], at_wall), free)


def test_joint_targets_are_not_narrowed() -> None:
    legal = LegalBins(JOINT, BOX, PERIOD_S)
    assert not legal.narrows
    assert legal.legal(0, [], observation(INSIDE)).all()


def test_rpy_counts_the_angle_of_the_whole_rotation() -> None:
    assert OPENVLA.rotation is RotationFormat.RPY
    legal = LegalBins(OPENVLA, MotionLimits((-9, -9, -9), (9, 9, 9), angular_speed=1.0), PERIOD_S)
    values = (np.arange(256).clip(max=254) + 0.5) / 255 * 2 - 1
    chosen = [127, 127, 127, 140, 118]
    angle = [np.linalg.norm(rotation_vector_from_rpy(np.array([values[140], values[118], value]))) for value in values]
    assert np.array_equal(legal.legal(5, chosen), np.array(angle) <= 0.2)


@pytest.mark.parametrize("rounding", list(Rounding))
def test_rest_is_always_legal_inside_the_box(rounding: Rounding) -> None:
    space = dataclasses.replace(RT1_TABLETOP, rounding=rounding)
    slow = MotionLimits(BOX.workspace_low, BOX.workspace_high, linear_speed=1e-6, angular_speed=1e-6)
    tokenizer = ActionTokenizer(space)
    tokens = draw(LegalBins(space, slow, PERIOD_S), observation(INSIDE), 0)
    assert not tokenizer.rest(tokenizer.decode(tokens))[:6].any()


@pytest.mark.parametrize(("dimension", "chosen"), [(-1, []), (11, [0] * 11), (2, [0]), (1, [256]), (1, [-1])])
def test_wrong_positions_are_refused(dimension: int, chosen: list[int]) -> None:
    with pytest.raises(ActionValueError):
        LegalBins(RT1_TABLETOP, BOX, PERIOD_S).legal(dimension, chosen)


@pytest.mark.parametrize(
    ("low", "high", "speed"),
    [((0, 0, 0), (1, 1, 0), 1.0), ((0, 0), (1, 1), 1.0), ((0, 0, math.nan), (1, 1, 1), 1.0), ((0,) * 3, (1,) * 3, 0.0)],
)
def test_limits_that_are_none_are_refused(low: tuple[float, ...], high: tuple[float, ...], speed: float) -> None:
    with pytest.raises(ConfigurationError, match="valid"):
        MotionLimits(low, high, linear_speed=speed)  # type: ignore[arg-type]


def test_infinite_limits_narrow_nothing() -> None:
    free = MotionLimits(np.full(3, -np.inf), np.full(3, np.inf))  # type: ignore[arg-type]
    assert free == MotionLimits((-math.inf,) * 3, (math.inf,) * 3)
    assert LegalBins(RT2, free).legal(1, [0], observation(INSIDE)).all()


def test_needs_no_torch() -> None:
    code = "import sys, vla_policy.rt2.decoding.constraint; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
