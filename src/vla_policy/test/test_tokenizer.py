# SPDX-License-Identifier: Apache-2.0
"""Properties of the action tokenizer over every preset and rounding."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vla_core.action import ActionValueError
from vla_policy.action.presets import OPENVLA, PRESETS, RT1
from vla_policy.action.space import ActionSpace, Dimension, Rounding, discrete
from vla_policy.action.tokenizer import ActionTokenizer, openvla_ids, openvla_tokens

spaces = st.builds(
    lambda space, rounding, bins: replace(space, rounding=rounding, bins=bins),
    st.sampled_from(sorted(PRESETS.values(), key=lambda s: s.name)),
    st.sampled_from(Rounding),
    st.sampled_from((16, 255, 256, 4096, 65536)),
)


def one_dimension(rounding: Rounding, low: float = -1.0, high: float = 1.0) -> ActionTokenizer:
    return ActionTokenizer(ActionSpace("one", (Dimension("x", low, high, "m"),), rounding=rounding))


def draw_actions(data: st.DataObject, space: ActionSpace, overshoot: float = 0.0) -> np.ndarray:
    columns = []
    for dimension in space.dimensions:
        margin = 0.0 if dimension.discrete else overshoot * (dimension.high - dimension.low)
        number = (
            st.integers(0, int(dimension.high)).map(float)
            if dimension.discrete
            else st.floats(dimension.low - margin, dimension.high + margin)
        )
        columns.append(data.draw(st.lists(number, min_size=3, max_size=3)))
    return np.array(columns).T  # (3, d)


@settings(max_examples=60, deadline=None)
@given(st.data(), spaces)
def test_round_trip_stays_within_the_stated_error(data: st.DataObject, space: ActionSpace) -> None:
    tokenizer = ActionTokenizer(space)
    actions = draw_actions(data, space)
    encoded = tokenizer.encode(actions)
    assert not encoded.clipped.any()
    error = np.abs(tokenizer.decode(encoded.tokens) - actions)
    assert (error <= tokenizer.worst_error * (1 + 1e-3)).all()


@settings(max_examples=60, deadline=None)
@given(st.data(), spaces)
def test_decoded_actions_encode_to_themselves_even_through_float32(data: st.DataObject, space: ActionSpace) -> None:
    tokenizer = ActionTokenizer(replace(space, bins=min(space.bins, 4096)))
    once = tokenizer.decode(tokenizer.encode(draw_actions(data, space, overshoot=0.5)).tokens)
    for values in (once, once.astype(np.float32) if space.bins <= 256 else once):
        again = tokenizer.encode(values)
        assert not again.clipped.any()
        np.testing.assert_array_equal(tokenizer.decode(again.tokens), once)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(Rounding), st.floats(-2, 2), st.floats(-2, 2))
def test_encoding_is_monotonic_and_out_of_range_is_clipped_and_flagged(rounding: Rounding, a: float, b: float) -> None:
    tokenizer = one_dimension(rounding)
    low, high = (tokenizer.encode([value]) for value in sorted((a, b)))
    assert low.tokens[0] <= high.tokens[0]
    if abs(a) > 1.001:
        assert tokenizer.encode([a]).clipped[0]
        assert tokenizer.encode([a]).tokens[0] == (255 if a > 0 else 0)


@pytest.mark.parametrize("rounding", list(Rounding))
def test_every_token_decodes_inside_its_range_in_order(rounding: Rounding) -> None:
    decoded = one_dimension(rounding).decode(np.arange(256)[:, None])[:, 0]
    assert (np.diff(decoded) >= 0).all()
    assert decoded.min() >= -1.0
    assert decoded.max() <= 1.0
    assert np.unique(decoded).size == (255 if rounding is Rounding.CENTRES else 256)


def test_truncation_is_that_of_rt1_and_nearest_halves_its_worst_error() -> None:
    truncate, nearest = one_dimension(Rounding.TRUNCATE), one_dimension(Rounding.NEAREST)
    values = np.linspace(-1, 1, 20001)[:, None]
    expected = (np.clip((values + 1) / 2, 0, 1) * 255 + 1e-6).astype(int)
    np.testing.assert_array_equal(truncate.encode(values).tokens, expected)
    worst = [np.abs(t.decode(t.encode(values).tokens) - values).max() for t in (truncate, nearest)]
    assert worst[1] == pytest.approx(worst[0] / 2, rel=0.02)
    # The two figures that tutorials get wrong.
    assert truncate.decode(truncate.encode([0.5]).tokens)[0] == pytest.approx(0.49804, abs=1e-5)
    assert truncate.decode(truncate.encode([0.0]).tokens)[0] == pytest.approx(-0.0039, abs=1e-4)


def test_openvla_bins_are_those_of_digitize_with_255_centres() -> None:
    tokenizer = ActionTokenizer(OPENVLA)
    edges = np.linspace(-1, 1, 256)
    centres = (edges[:-1] + edges[1:]) / 2
    values = np.random.default_rng(0).uniform(-1, 1, (500, 7))
    bins = np.digitize(values, edges)  # 1..256
    encoded = tokenizer.encode(values).tokens
    np.testing.assert_array_equal(openvla_ids(encoded), 32000 - bins)
    np.testing.assert_allclose(tokenizer.decode(encoded), centres[np.clip(bins - 1, 0, 254)], atol=1e-12)
    assert tokenizer.decode(tokenizer.encode(np.zeros(7)).tokens).tolist() == [0.0] * 7
    ends = np.array([31744, 31745, 31999])
    np.testing.assert_array_equal(openvla_ids(openvla_tokens(ends)), ends)
    top, next_to_top = tokenizer.decode(openvla_tokens(ends[:2])[:, None].repeat(7, 1))
    np.testing.assert_array_equal(top, next_to_top)


def test_a_stray_word_is_refused_and_not_made_an_extreme_action() -> None:
    for stray in (29871, 31743, 32000):
        with pytest.raises(ActionValueError, match="31744 to 31999"):
            openvla_tokens([31900, stray])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused_by_name(bad: float) -> None:
    action = np.zeros((2, 11))
    action[1, RT1.index("gripper")] = bad
    with pytest.raises(ActionValueError, match="gripper"):
        ActionTokenizer(RT1).encode(action)


def test_wrong_shapes_fractions_of_a_category_and_missing_tokens_are_refused() -> None:
    tokenizer = ActionTokenizer(ActionSpace("s", (discrete("mode", "a", "b"), Dimension("x", 0, 1, "m"))))
    for bad in (np.zeros(3), np.float64(1.0), [0.5, 0.5]):
        with pytest.raises(ActionValueError):
            tokenizer.encode(bad)
    for tokens in ([2, 0], [0, 256], [-1, 0], [0.0, 0.0]):
        with pytest.raises(ActionValueError):
            tokenizer.decode(np.array(tokens))


def test_any_leading_axes_are_kept_and_tokens_are_uint16() -> None:
    tokenizer = ActionTokenizer(RT1)
    encoded = tokenizer.encode(np.zeros((2, 3, 11)))
    assert encoded.tokens.dtype == np.uint16
    assert encoded.tokens.shape == encoded.clipped.shape == (2, 3, 11)
    assert tokenizer.decode(encoded.tokens).shape == (2, 3, 11)


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_a_model_that_means_zero_moves_nothing(name):
    """The tokens on either side of zero are rest, the next ones move, other dimensions are left alone."""
    space = PRESETS[name]
    tokenizer = ActionTokenizer(space)
    zero = np.zeros(len(space.dimensions))
    signed = np.array([not d.discrete and d.low < 0 < d.high for d in space.dimensions])
    symmetrical = signed & np.array([d.low == -d.high for d in space.dimensions])
    tokens = tokenizer.encode(zero).tokens.astype(np.int64)
    assert not tokenizer.rest(tokenizer.decode(tokens))[symmetrical].any()
    for step in (-3, 3):
        moved = tokenizer.decode(np.where(signed, tokens + step, tokens))
        assert np.array_equal(tokenizer.rest(moved), moved)
