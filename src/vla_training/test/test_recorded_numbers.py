# SPDX-License-Identifier: Apache-2.0
"""Properties of what training makes of recorded numbers: ranges, tokens, rates, composed actions, shares."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from vla_core.action import ActionMode
from vla_core.observation_map.observation_map import Action, ActionFrame
from vla_core.observation_map.part import Normalisation, Part, PartKind, RotationForm
from vla_policy.action.tokenizer import ActionTokenizer
from vla_training.data.recorded.ranges import quantiles, space_of, switches
from vla_training.data.recorded.resampling import composed, kept_frames
from vla_training.data.recorded.source import parse_sources
from vla_training.data.recorded.table import shares, turning_rows
from vla_training.run.errors import TrainingError

seeds = st.integers(0, 2**32 - 1)


def numbers(seed: int, rows: int, columns: int = 3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(rows, columns)) * 10.0 ** rng.integers(-3, 3, columns)


@given(seeds, st.integers(40, 200))
def test_a_weight_counts_like_as_many_rows(seed: int, rows: int) -> None:
    values = numbers(seed, rows)
    weights = np.random.default_rng(seed).integers(1, 4, rows)
    shares_of_rows = weights / weights.sum()
    low, high = quantiles(values, shares_of_rows)
    for end, share in ((low, 0.01), (high, 0.99)):  # sums of shares are not exact: at a step both neighbours are right
        below = np.sum(shares_of_rows[:, None] * (values < end), axis=0)
        up_to = np.sum(shares_of_rows[:, None] * (values <= end), axis=0)
        assert (below <= share + 1e-9).all()
        assert (up_to >= share - 1e-9).all()


@given(seeds, st.integers(40, 300))
def test_ranges_hold_all_but_the_ends_and_come_back_from_tokens(seed: int, rows: int) -> None:
    values = numbers(seed, rows)
    low, high = quantiles(values, np.ones(rows))
    assert (low < high).all()
    inside = (values >= low) & (values <= high)
    assert (inside.mean(axis=0) >= 0.98 - 2 / rows).all()
    tokenizer = ActionTokenizer(space_of(("a", "b", "c"), low, high, None))
    back = tokenizer.decode(tokenizer.encode(values).tokens)
    assert (np.abs(back - np.clip(values, low, high)) <= tokenizer.worst_error * (1 + 1e-6) + 1e-12).all()


@given(seeds, st.integers(60, 200), st.floats(-5.0, 5.0))
def test_columns_that_switch_or_stand_still_are_kept(seed: int, rows: int, value: float) -> None:
    rng = np.random.default_rng(seed)
    gripper = np.where(rng.random(rows) < 0.005, 1.0, 0.0)  # seldom: no quantile sees it
    gripper[rng.integers(1, rows)] = 1.0
    gripper[0] = 0.0
    values = np.column_stack([gripper, np.full(rows, value)])
    assert switches(values).all()
    low, high = quantiles(values, np.ones(rows))
    assert (low[0], high[0]) == (0.0, 1.0)
    tokenizer = ActionTokenizer(space_of(("gripper", "still"), low, high, None))
    back = tokenizer.decode(tokenizer.encode(values).tokens)
    np.testing.assert_allclose(back[:, 0], gripper)
    np.testing.assert_allclose(back[:, 1], value, atol=1e-4 * max(1.0, abs(value)))


@given(st.integers(2, 200), st.floats(1.0, 60.0), st.floats(0.05, 1.0))
def test_kept_frames_rise_and_are_the_nearest_to_the_policys_times(count: int, fps: float, share: float) -> None:
    rate = fps * share
    kept = kept_frames(count, fps, rate)
    assert kept[0] == 0
    assert (np.diff(kept) >= 1).all()
    assert kept[-1] <= count - 1
    assert np.abs(kept / fps - np.arange(len(kept)) / rate).max() <= 0.5 / fps + 1e-9
    assert (count - 1 - kept[-1]) < fps / rate + 1.0


@given(st.integers(2, 60), st.floats(1.0, 60.0))
def test_at_its_own_rate_nothing_changes(count: int, fps: float) -> None:
    kept = kept_frames(count, fps, fps)
    np.testing.assert_array_equal(kept, np.arange(count))
    actions = numbers(0, count)
    np.testing.assert_array_equal(composed(actions, kept, None), actions)


def delta(frame: ActionFrame, scale: float = 0.0) -> Action:
    scaling = Normalisation(low=(-scale,), high=(3.0 * scale,)) if scale else None
    parts = (
        Part(PartKind.TRANSLATION, normalisation=scaling),
        Part(PartKind.ROTATION, form=RotationForm.RPY),
        Part(PartKind.GRIPPER),
        Part(PartKind.BASE),
        Part(PartKind.TERMINATE),
    )
    return Action(ActionMode.EE_DELTA, parts, frame=frame)


@settings(max_examples=40)
@given(seeds, st.integers(2, 40), st.integers(1, 6), st.sampled_from(list(ActionFrame)), st.sampled_from([0.0, 0.05]))
def test_deltas_add_up_turns_follow_each_other_and_velocities_are_means(
    seed: int, count: int, stride: int, frame: ActionFrame, scale: float
) -> None:
    rng = np.random.default_rng(seed)
    actions = rng.uniform(-0.5, 0.5, (count, 11))
    kept = kept_frames(count, 30.0, 30.0 / stride)
    action = delta(frame, scale)
    made = composed(actions, kept, action)
    ends = [*kept[1:].tolist(), count]
    for row, first, end in zip(made, kept.tolist(), ends, strict=True):
        part = actions[first:end]
        if scale:  # numbers from -1 to 1 for -0.05 to 0.15: zero motion is not the number zero
            np.testing.assert_allclose(0.05 + 0.1 * row[:3], (0.05 + 0.1 * part[:, :3]).sum(axis=0), atol=1e-9)
        else:
            np.testing.assert_allclose(row[:3], part[:, :3].sum(axis=0), atol=1e-9)
        whole = Rotation.identity()
        for angles in part[:, 3:6]:
            turn = Rotation.from_euler("xyz", angles)
            whole = whole * turn if frame is ActionFrame.TOOL else turn * whole
        assert (Rotation.from_euler("xyz", row[3:6]).inv() * whole).magnitude() < 1e-6
        assert row[6] == part[-1, 6]
        np.testing.assert_allclose(row[7:10], part[:, 7:10].mean(axis=0), atol=1e-9)
        assert row[10] == part[:, 10].max()


def test_targets_are_those_at_the_end_of_a_step() -> None:
    action = Action(ActionMode.JOINT_POSITION, (Part(PartKind.JOINTS, names=("a", "b")), Part(PartKind.GRIPPER)))
    actions = np.arange(21.0).reshape(7, 3)
    np.testing.assert_array_equal(composed(actions, kept_frames(7, 6.0, 2.0), action), actions[[2, 5, 6]])


@given(st.lists(st.integers(1, 500), min_size=1, max_size=5), seeds)
def test_shares_follow_the_weights_whatever_the_sizes(counts: list[int], seed: int) -> None:
    weights = np.random.default_rng(seed).uniform(0.1, 5.0, len(counts))
    drawn = [part.sum() for part in shares(counts, weights.tolist())]
    np.testing.assert_allclose(drawn, weights / weights.sum())
    alike = np.concatenate(shares(counts, [None] * len(counts)))
    np.testing.assert_allclose(alike, 1.0 / sum(counts))


@given(st.lists(st.integers(1, 12), min_size=1, max_size=4), seeds)
def test_the_row_ahead_is_the_last_before_something_switches_or_the_episode_ends(lengths: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    tokens = np.column_stack([rng.integers(0, 256, sum(lengths)), rng.choice([0, 255], sum(lengths), p=[0.7, 0.3])])
    first = np.concatenate([np.arange(length) == 0 for length in lengths])
    ahead = turning_rows(tokens, np.array([False, True]), first)
    ends = np.repeat(np.cumsum(lengths) - 1, lengths)
    for row, (found, end) in enumerate(zip(ahead.tolist(), ends.tolist(), strict=True)):
        assert row <= found <= end
        assert (tokens[row : found + 1, 1] == tokens[row, 1]).all()  # nothing switches on the way
        assert found == end or tokens[found + 1, 1] != tokens[row, 1]


def test_sets_are_named_with_or_without_weights() -> None:
    pair = parse_sources(["a/b@v1:0.7", "data/x:0.3"])
    assert [(source.name, source.weight) for source in pair] == [("a/b@v1", 0.7), ("data/x", 0.3)]
    assert parse_sources(["C:/x"])[0].weight is None
    with pytest.raises(TrainingError, match="a weight above 0 for each set"):
        parse_sources(["a:1", "b"])
    with pytest.raises(TrainingError, match="a weight above 0 for each set"):
        parse_sources(["a:0"])
