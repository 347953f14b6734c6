# SPDX-License-Identifier: Apache-2.0
"""Constrained decoding: only legal bins, and the actions that `generate` finds with the same mask."""

from __future__ import annotations

import math
from itertools import product
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from vla_policy.action.presets import OPENVLA, RT1_TABLETOP, RT2
from vla_policy.action.space import ActionSpace, Dimension, discrete
from vla_policy.action.tokenizer import ActionTokenizer
from vla_policy.errors import ActionRefusedError, ConfigurationError
from vla_policy.policy import Observation
from vla_policy.rt2.decoding.constraint import LegalBins, MotionLimits
from vla_policy.rt2.decoding.decode import Decoded

FAMILIES = ["paligemma", "paligemma2", "idefics3", "qwen2_5_vl", "qwen3_vl", "llava", "fast_vlm"]
PROMPT = [20, 31, 42, 53, 64]
TINY_SPACE = ActionSpace(
    "tiny",
    (discrete("terminate", "continue", "terminate"), *(Dimension(name, -1.0, 1.0, "m") for name in "xy")),
    bins=5,
)


@pytest.fixture(scope="module", params=FAMILIES)
def small(request: pytest.FixtureRequest, rt2_small_models: ModuleType) -> Any:
    return rt2_small_models.build(request.param)


@pytest.fixture(scope="module")
def llava(rt2_small_models: ModuleType) -> Any:
    return rt2_small_models.build("llava")


def generated(models: ModuleType, small: Any, inputs: dict[str, torch.Tensor], space: ActionSpace) -> list[list[int]]:
    """Bins that `generate` finds when prefix_allowed_tokens_fn lets only each dimension's own tokens through."""
    start = inputs["input_ids"].shape[1]

    def allowed(_: int, ids: torch.Tensor) -> list[int]:
        return list(models.ACTION_IDS[: space.sizes[len(ids) - start]])

    ids = small.model.generate(
        **inputs,
        max_new_tokens=len(space.sizes),
        min_new_tokens=len(space.sizes),
        do_sample=False,
        prefix_allowed_tokens_fn=allowed,
    )[:, start:]
    return [[models.ACTION_IDS.index(int(i)) for i in row] for row in ids]


@pytest.mark.parametrize("before", [0, 3], ids=["image_first", "text_first"])
def test_greedy_is_what_generate_finds_with_the_same_mask(
    rt2_small_models: ModuleType, small: Any, before: int
) -> None:
    decoder = rt2_small_models.decoder(small)
    for picture in range(2):
        inputs = small.inputs(PROMPT, picture, before)
        wanted = generated(rt2_small_models, small, inputs, RT2)
        assert decoder.decode(inputs).tokens.tolist() == wanted[0]


def test_a_padded_batch_is_what_generate_finds(rt2_small_models: ModuleType, small: Any) -> None:
    inputs = small.batch([PROMPT, PROMPT[:2], [*PROMPT, 70, 71]])
    found = [decoded.tokens.tolist() for decoded in rt2_small_models.decoder(small).decode_batch(inputs)]
    assert found == generated(rt2_small_models, small, inputs, RT2)


def test_probabilities_and_mass_are_those_of_the_model(rt2_small_models: ModuleType, small: Any) -> None:
    inputs = small.inputs(PROMPT)
    decoded = rt2_small_models.decoder(small, mass="all").decode(inputs)
    logits = _read(rt2_small_models, small, inputs, decoded)
    for index, (row, size) in enumerate(zip(logits, RT2.sizes, strict=True)):
        own = torch.tensor(rt2_small_models.ACTION_IDS[:size])
        everything = row.softmax(dim=0)[own]
        assert decoded.legal_mass[index] == pytest.approx(float(everything.sum()), rel=1e-3)
        wanted = everything[int(decoded.tokens[index])] / everything.sum()
        assert decoded.probabilities[index] == pytest.approx(float(wanted), rel=1e-3)


def test_the_median_has_half_of_the_probability_on_either_side(rt2_small_models: ModuleType, small: Any) -> None:
    inputs = small.inputs(PROMPT)
    decoded = rt2_small_models.decoder(small, mode="median").decode(inputs)
    logits = _read(rt2_small_models, small, inputs, decoded)
    for token, row, size in zip(decoded.tokens.tolist(), logits, RT2.sizes, strict=True):
        upto = row[torch.tensor(rt2_small_models.ACTION_IDS[:size])].softmax(dim=0).cumsum(dim=0)
        assert upto[token] >= 0.5 - 1e-4
        assert token == 0 or upto[token - 1] < 0.5 + 1e-4


def _read(models: ModuleType, small: Any, inputs: dict[str, torch.Tensor], decoded: Decoded) -> torch.Tensor:
    """Logits (d, vocabulary) from which each token of an action was chosen, in one pass of the model."""
    ids = torch.tensor([[models.ACTION_IDS[int(token)] for token in decoded.tokens]])
    whole = {**inputs, "input_ids": torch.cat([inputs["input_ids"], ids], dim=1)}
    for name, value in (("attention_mask", 1), ("token_type_ids", 1), ("mm_token_type_ids", 0)):
        if name in inputs:
            whole[name] = torch.cat([inputs[name], torch.full_like(ids, value)], dim=1)
    with torch.no_grad():
        logits: torch.Tensor = small.model(**whole).logits[0, -len(RT2.sizes) - 1 : -1].float()
    return logits


def test_mass_is_measured_where_asked(rt2_small_models: ModuleType, llava: Any) -> None:
    inputs = llava.inputs(PROMPT)
    masses = {mass: rt2_small_models.decoder(llava, mass=mass).decode(inputs).legal_mass for mass in ("first", "none")}
    assert 0.0 < masses["first"][0] < 1.0
    assert np.isnan(masses["first"][1:]).all()
    assert np.isnan(masses["none"]).all()


@pytest.mark.parametrize("mode", ["greedy", "median", "sample", "beam"])
@pytest.mark.parametrize("space", [RT2, RT1_TABLETOP, OPENVLA], ids=lambda space: space.name)
def test_every_mode_says_only_legal_bins(
    rt2_small_models: ModuleType, llava: Any, mode: str, space: ActionSpace
) -> None:
    limits = MotionLimits((0.2, -0.4, 0.02), (0.7, 0.4, 0.6), 0.1, 0.5)
    legal = LegalBins(space, limits, 0.2)
    decoder = rt2_small_models.decoder(llava, space, mode=mode, seed=0, legal=legal)
    free = rt2_small_models.decoder(llava, space, mode=mode, seed=0)
    changed = 0
    for picture, x in enumerate((0.1, 0.45, 0.69)):
        seen = _observation(x)
        decoded = decoder.decode(llava.inputs(PROMPT, picture), seen)
        tokens = decoded.tokens.tolist()
        assert all(legal.legal(i, tokens[:i], seen)[token] for i, token in enumerate(tokens))
        assert (decoded.probabilities > 0.0).all()
        changed += tokens != free.decode(llava.inputs(PROMPT, picture), seen).tokens.tolist()
    assert changed  # or the limits were no test


def _observation(x: float) -> Observation:
    image = np.zeros((2, 2, 3), np.uint8)
    return Observation(
        0.0, {"front": image}, (), np.zeros(0), np.array([x, 0.0, 0.3]), np.array([0.0, 0.0, 0.0, 1.0]), 0.0
    )


def _scores(models: ModuleType, llava: Any, inputs: dict[str, torch.Tensor]) -> dict[tuple[int, ...], float]:
    """Log probability of every action of TINY_SPACE, by running each through the model."""
    actions = list(product(*(range(size) for size in TINY_SPACE.sizes)))
    ids = torch.tensor(models.ACTION_IDS)[torch.tensor(actions)]
    rows = {name: value.repeat(len(actions), *[1] * (value.dim() - 1)) for name, value in inputs.items()}
    rows["input_ids"] = torch.cat([rows["input_ids"], ids], dim=1)
    rows["attention_mask"] = torch.ones_like(rows["input_ids"])
    with torch.no_grad():
        logits = llava.model(**rows).logits[:, -len(TINY_SPACE.sizes) - 1 : -1]
    total = torch.zeros(len(actions))
    for index, size in enumerate(TINY_SPACE.sizes):
        own = logits[:, index, list(models.ACTION_IDS[:size])].log_softmax(dim=1)
        total += own.gather(1, torch.tensor(actions)[:, index, None])[:, 0]
    return dict(zip(actions, total.tolist(), strict=True))


def test_wide_beams_find_the_best_action_of_all(rt2_small_models: ModuleType, llava: Any) -> None:
    beams, one, greedy = (
        rt2_small_models.decoder(llava, TINY_SPACE, mode=mode, beams=count)
        for mode, count in (("beam", 50), ("beam", 1), ("greedy", 1))
    )
    greedy_was_best = []
    for trial in range(12):
        inputs = llava.inputs([20 + 3 * trial, 90 - trial, 50], trial)
        scores = _scores(rt2_small_models, llava, inputs)
        best = max(scores, key=lambda action: scores[action])
        decoded = beams.decode(inputs)
        assert tuple(decoded.tokens.tolist()) == best
        assert np.log(decoded.probabilities).sum() == pytest.approx(scores[best], abs=1e-3)
        greedily = greedy.decode(inputs).tokens.tolist()
        assert one.decode(inputs).tokens.tolist() == greedily
        greedy_was_best.append(tuple(greedily) == best)
    assert not all(greedy_was_best)  # or beams were no test


def test_samples_follow_the_probabilities(rt2_small_models: ModuleType, llava: Any) -> None:
    inputs = llava.inputs(PROMPT)
    many = {name: value.repeat(4000, *[1] * (value.dim() - 1)) for name, value in inputs.items()}
    decoder = rt2_small_models.decoder(llava, TINY_SPACE, mode="sample", seed=3)
    found = [tuple(decoded.tokens.tolist()) for decoded in decoder.decode_batch(many)]
    for action, score in _scores(rt2_small_models, llava, inputs).items():
        share = found.count(action) / len(found)
        assert share == pytest.approx(math.exp(score), abs=4.0 * math.sqrt(math.exp(score) / len(found)) + 1e-3)


def test_a_seed_repeats_and_a_low_temperature_is_greedy(rt2_small_models: ModuleType, llava: Any) -> None:
    inputs = llava.inputs(PROMPT)
    first, second = (
        rt2_small_models.decoder(llava, mode="sample", seed=5).decode(inputs).tokens.tolist() for _ in range(2)
    )
    cold = rt2_small_models.decoder(llava, mode="sample", temperature=1e-4).decode(inputs).tokens.tolist()
    greedy = rt2_small_models.decoder(llava).decode(inputs).tokens.tolist()
    assert first == second != greedy
    assert cold == greedy


def test_decoded_values_are_those_of_the_space(rt2_small_models: ModuleType, llava: Any) -> None:
    decoded = rt2_small_models.decoder(llava).decode(llava.inputs(PROMPT))
    assert decoded.tokens.dtype == np.uint16
    ActionTokenizer(RT2).decode(decoded.tokens)  # raises for a bin that does not exist


def test_numbers_that_are_not_finite_are_refused(rt2_small_models: ModuleType) -> None:
    broken = rt2_small_models.build("llava")
    decoders = [rt2_small_models.decoder(broken, mode=mode) for mode in ("greedy", "median", "sample", "beam")]
    with torch.no_grad():
        broken.model.get_input_embeddings().weight.fill_(math.nan)
    for decoder in decoders:
        with pytest.raises(ActionRefusedError, match="finite"):
            decoder.decode(broken.inputs(PROMPT))


@pytest.mark.parametrize(
    "options", [{"mode": "clip"}, {"mass": "some"}, {"temperature": 0.0}, {"temperature": math.nan}, {"beams": 0}]
)
def test_wrong_settings_are_refused(rt2_small_models: ModuleType, llava: Any, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="valid"):
        rt2_small_models.decoder(llava, **options)


def test_parts_that_do_not_belong_together_are_refused(rt2_small_models: ModuleType, llava: Any) -> None:
    with pytest.raises(ConfigurationError, match="valid is the space"):
        rt2_small_models.decoder(llava, RT2, legal=LegalBins(OPENVLA))
    many = ActionSpace("many", RT2.dimensions, bins=300)
    with pytest.raises(ConfigurationError, match="valid are 300"):
        rt2_small_models.decoder(llava, many)
    with pytest.raises(ConfigurationError, match="one with beams"):
        rt2_small_models.decoder(llava, mode="beam").decode_batch(llava.batch([PROMPT, PROMPT]))
    with pytest.raises(ConfigurationError, match="one for each observation"):
        rt2_small_models.decoder(llava).decode_batch(llava.inputs(PROMPT), [_observation(0.4)] * 2)
