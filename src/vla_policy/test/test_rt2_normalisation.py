# SPDX-License-Identifier: Apache-2.0
"""Ranges from data: OpenVLA's normalisation and bin centres to the last digit, fixed ranges, masks."""

from __future__ import annotations

import numpy as np
import pytest
from vla_policy.action.presets import OPENVLA, RT2
from vla_policy.action.tokenizer import ActionTokenizer, openvla_ids
from vla_policy.errors import ConfigurationError
from vla_policy.rt2.normalisation import fixed_ranges, quantile_ranges, statistics_ranges

Q01 = np.array([-0.03, -0.02, -0.05, -0.1, -0.2, -0.3, 0.0])
Q99 = np.array([0.02, 0.04, 0.03, 0.2, 0.1, 0.3, 1.0])
MASK = np.array([True] * 6 + [False])
STATISTICS = {"action": {"q01": Q01.tolist(), "q99": Q99.tolist(), "mask": MASK.tolist()}}


def openvla_encode(action: np.ndarray) -> np.ndarray:
    """What openvla/openvla does: prismatic/vla/datasets normalisation, then ActionTokenizer.__call__."""
    normalised = np.where(MASK, np.clip(2 * (action - Q01) / (Q99 - Q01 + 1e-8) - 1, -1, 1), action)
    return 32000 - np.digitize(np.clip(normalised, -1, 1), np.linspace(-1, 1, 256))


def openvla_decode(ids: np.ndarray) -> np.ndarray:
    """ActionTokenizer.decode_token_ids_to_actions, then predict_action's unnormalisation."""
    bins = np.linspace(-1, 1, 256)
    centres = (bins[:-1] + bins[1:]) / 2
    normalised = centres[np.clip(32000 - ids - 1, 0, 254)]
    return np.where(MASK, 0.5 * (normalised + 1) * (Q99 - Q01) + Q01, normalised)


def test_decoding_is_openvlas_for_every_token() -> None:
    tokenizer = ActionTokenizer(statistics_ranges(OPENVLA, STATISTICS))
    tokens = np.tile(np.arange(256)[:, None], (1, 7))
    np.testing.assert_allclose(tokenizer.decode(tokens), openvla_decode(openvla_ids(tokens)), rtol=0, atol=1e-15)


def test_encoding_is_openvlas() -> None:
    tokenizer = ActionTokenizer(statistics_ranges(OPENVLA, STATISTICS))
    actions = np.random.default_rng(0).uniform(1.2 * Q01 - 0.01, 1.2 * Q99, (2000, 7))
    theirs, ours = openvla_encode(actions), openvla_ids(tokenizer.encode(actions).tokens)
    # their 1e-8 in the divisor moves values that lie on an edge of two bins, and only those
    assert (np.abs(theirs - ours) <= 1).all()
    assert (theirs == ours).mean() > 0.999


def test_quantiles_are_those_of_the_data() -> None:
    actions = np.random.default_rng(0).normal(0.01, 0.02, (5000, 8))
    actions[:, 0] = 0.0
    space = quantile_ranges(RT2, actions)
    assert space.dimensions[0] == RT2.dimensions[0]
    for index in range(1, 8):
        expected = np.quantile(actions[:, index], [0.01, 0.99])
        np.testing.assert_allclose([space.dimensions[index].low, space.dimensions[index].high], expected)
    flags = ActionTokenizer(space).encode(actions).clipped[:, 1:].mean(axis=0)
    np.testing.assert_allclose(flags, 0.02, atol=0.001)  # one in a hundred at either end, and it is reported


def test_what_the_mask_leaves_out_keeps_its_range() -> None:
    actions = np.random.default_rng(0).normal(0.0, 0.02, (100, 7))
    space = quantile_ranges(OPENVLA, actions, MASK)
    assert space.dimensions[6] == OPENVLA.dimensions[6]
    assert all(new != old for new, old in zip(space.dimensions[:6], OPENVLA.dimensions[:6], strict=True))
    fixed = fixed_ranges(OPENVLA, -np.ones(7) / 2, np.ones(7), MASK)
    assert [(d.low, d.high) for d in fixed.dimensions] == [(-0.5, 1.0)] * 6 + [(-1.0, 1.0)]


def test_a_dimension_that_does_not_move_is_named() -> None:
    actions = np.random.default_rng(0).normal(size=(100, 7))
    actions[:, 4] = 0.3
    with pytest.raises(ConfigurationError, match=r"pitch.*left out by the mask"):
        quantile_ranges(OPENVLA, actions)
    moving = np.arange(7) != 4
    assert quantile_ranges(OPENVLA, actions, moving).dimensions[4] == OPENVLA.dimensions[4]


@pytest.mark.parametrize("actions", [np.zeros((0, 7)), np.zeros(7), np.zeros((5, 6)), np.full((5, 7), np.nan)], ids=str)
def test_unusable_actions_are_refused(actions: np.ndarray) -> None:
    with pytest.raises(ConfigurationError, match=r"valid are \(n, 7\) finite numbers"):
        quantile_ranges(OPENVLA, actions)


@pytest.mark.parametrize(
    ("low", "high", "mask"),
    [
        (np.zeros(6), np.ones(7), None),
        (np.zeros(7), np.ones(7), [True] * 6),
        (np.ones(7), np.ones(7), None),
        (np.full(7, -np.inf), np.ones(7), None),
    ],
)
def test_wrong_ranges_are_refused(low: np.ndarray, high: np.ndarray, mask: list[bool] | None) -> None:
    with pytest.raises(ConfigurationError, match=r"valid|range"):
        fixed_ranges(OPENVLA, low, high, mask)


def test_a_discrete_dimension_has_no_range_to_change() -> None:
    with pytest.raises(ConfigurationError, match="none for discrete ones of terminate, x"):
        fixed_ranges(RT2, np.zeros(8), np.ones(8), [True] * 8)


@pytest.mark.parametrize("statistics", [None, [], {}, {"action": {"q01": [0]}}, {"action": {"q01": "a", "q99": "b"}}])
def test_wrong_statistics_are_refused(statistics: object) -> None:
    with pytest.raises(ConfigurationError, match="valid"):
        statistics_ranges(OPENVLA, statistics)
