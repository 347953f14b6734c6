# SPDX-License-Identifier: Apache-2.0
"""Reuse of a constant prefix and of image features: what is reused, and that nothing comes out differently."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
import torch
from vla_policy.action.presets import RT2
from vla_policy.errors import ConfigurationError
from vla_policy.rt2.decoding.cached_model import CachedModel
from vla_policy.rt2.decoding.constraint import LegalBins
from vla_policy.rt2.decoding.decode import ActionDecoder
from vla_policy.rt2.model.action_head import ActionHead, base_of

FAMILIES = ["paligemma", "paligemma2", "smolvlm", "qwen2_5_vl", "qwen3_vl", "llava", "fast_vlm"]
BIDIRECTIONAL = ("paligemma", "paligemma2")
PROMPT = [20, 31, 42, 53, 64]


@pytest.fixture(scope="module", params=FAMILIES)
def small(request: pytest.FixtureRequest, rt2_small_models: ModuleType) -> Any:
    return rt2_small_models.build(request.param)


@pytest.fixture(scope="module")
def llava(rt2_small_models: ModuleType) -> Any:
    return rt2_small_models.build("llava")


def prompts(small: Any) -> list[tuple[dict[str, torch.Tensor], int]]:
    """Inputs one after the other, and how many tokens each can take from the one before."""
    image, words = small.image_tokens, len(PROMPT)
    return [
        (small.inputs(PROMPT, 0, before=words), 0),
        (small.inputs(PROMPT, 1, before=words), words),  # a new picture behind the same text
        (small.inputs([*PROMPT, 70, 71], 1, before=words), words + image),  # a longer prompt on the same picture
        (small.inputs([*PROMPT, 70, 71], 1, before=words), words + image + 1),  # the same again, but for the last token
        (small.inputs([9, *PROMPT], 1, before=words), 0),  # another text before the same picture
        (small.inputs(PROMPT, 2), 0),  # picture first
        (small.inputs([*PROMPT[:3], 80, 81, 82], 2), image + 3),  # another question about that picture
        (small.inputs([*PROMPT[:3], 80, 81, 82], 3), 0),  # the same question about another one
    ]


def test_outputs_are_equal_with_and_without_reuse(rt2_small_models: ModuleType, small: Any) -> None:
    mode = "beam" if small.family == "llava" else "greedy"

    def decoder(reuse: bool) -> ActionDecoder:
        runner = CachedModel(small.model, reuse=reuse)
        info = rt2_small_models.action_info(RT2)
        return ActionDecoder(small.backend(), info, LegalBins(RT2), mode=mode, beams=3, runner=runner)

    reusing, plain = decoder(True), decoder(False)
    for inputs, shared in prompts(small):
        found, wanted = reusing.decode(inputs), plain.decode(inputs)
        assert found.tokens.tolist() == wanted.tokens.tolist()
        assert found.probabilities == pytest.approx(wanted.probabilities, rel=1e-3)
        assert found.legal_mass[0] == pytest.approx(wanted.legal_mass[0], rel=1e-3)
        assert reusing.runner.reused == (0 if small.family in BIDIRECTIONAL else shared)
        assert plain.runner.reused == 0


def test_the_picture_goes_through_the_encoder_once(small: Any) -> None:
    runner = CachedModel(small.model)
    vision = next(
        getattr(runner.base, name) for name in ("vision_tower", "vision_model", "visual") if hasattr(runner.base, name)
    )
    seen: list[int] = []
    hook = vision.register_forward_hook(lambda *_: seen.append(1))
    try:
        for words, picture in ((PROMPT, 0), ([9, 8, *PROMPT], 0), (PROMPT, 1), (PROMPT, 0)):
            runner.prefill(small.inputs(words, picture, before=2))
            seen.append(0)
    finally:
        hook.remove()
    assert seen == [1, 0, 0, 1, 0, 1, 0]


@pytest.mark.parametrize("same", [True, False])
def test_guessed_tokens_ride_along_with_the_prompt(small: Any, same: bool) -> None:
    """As if they had been steps; not where prompt tokens see each other both ways and so would see the guess."""
    runner, plain = CachedModel(small.model), CachedModel(small.model)
    guess = [7, 5, 6]
    runner.prefill(small.inputs(PROMPT, 1))
    inputs = small.inputs(PROMPT, 1 if same else 0)
    found = runner.prefill(inputs, guess)
    first = plain.prefill(inputs)
    if small.family.startswith("paligemma"):
        assert found.shape[1] == 1
        return
    rest = plain.step(torch.tensor([guess]))
    assert torch.allclose(found, torch.cat([first, rest], dim=1), atol=1e-4)
    runner.rewind(2)
    plain.rewind(2)
    again = torch.tensor([[9]])
    assert torch.allclose(runner.step(again), plain.step(again), atol=1e-4)
    assert runner.prefilled == inputs["input_ids"].shape[1]


def test_no_guess_rides_where_an_input_tells_of_every_token(llava: Any) -> None:
    """Such as Mllama's cross-attention mask, of which nobody here knows how it continues."""
    runner = CachedModel(llava.model)
    inputs = llava.inputs(PROMPT, 0)
    masked = inputs | {"cross_attention_mask": torch.ones(1, inputs["input_ids"].shape[1], 1)}
    assert runner._told_by_token(masked, inputs["input_ids"].shape[1])
    assert not runner._told_by_token(inputs | {"image_sizes": torch.ones(1, 2)}, 1)
    assert runner.prefill(inputs, [7]).shape[1] == 2


def test_padding_and_batches_are_not_reused(llava: Any) -> None:
    runner = CachedModel(llava.model)
    runner.prefill(llava.inputs(PROMPT, 0, before=5))
    runner.prefill(llava.inputs(PROMPT, 0, before=5, left_pad=2))
    assert runner.reused == 0
    runner.prefill(llava.batch([PROMPT, PROMPT]))
    runner.prefill(llava.inputs(PROMPT, 0))
    assert runner.reused == 0


def test_a_failed_prompt_leaves_nothing_behind(llava: Any) -> None:
    runner = CachedModel(llava.model)
    runner.prefill(llava.inputs(PROMPT, 0))
    wrong = llava.inputs(PROMPT, 1)
    wrong["input_ids"] = wrong["input_ids"][:, 1:]  # one image token too few
    wrong["attention_mask"] = wrong["attention_mask"][:, 1:]
    with pytest.raises(ValueError, match="tokens"):
        runner.prefill(wrong)
    found = runner.prefill(llava.inputs(PROMPT, 0))
    wanted = CachedModel(llava.model).prefill(llava.inputs(PROMPT, 0))
    assert torch.allclose(found, wanted, atol=1e-5)


def test_text_alone_is_a_prompt(small: Any) -> None:
    runner = CachedModel(small.model)
    ids = torch.tensor([PROMPT])
    hidden = runner.prefill({"input_ids": ids})
    with torch.no_grad():
        wanted = small.model(input_ids=ids).logits[0, -1]
    with torch.inference_mode():
        found = ActionHead(small.model, [3, 5]).full(hidden)[0, -1]
    assert torch.allclose(found, wanted, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", FAMILIES)
def test_action_rows_are_rows_of_the_whole_head(rt2_small_models: ModuleType, name: str) -> None:
    small = rt2_small_models.build(name)
    head = ActionHead(small.model, rt2_small_models.ACTION_IDS)
    hidden = torch.randn(3, 32)
    with torch.no_grad():
        rows = head.full(hidden)[:, list(rt2_small_models.ACTION_IDS)]
        assert head.slices
        assert torch.allclose(head.actions(hidden), rows, atol=1e-5)
        largest = float(head.full(hidden * 100).abs().max())
    assert (largest <= 0.5) == (name == "paligemma2")  # the family's cap


@pytest.mark.parametrize("factor", [{"logits_scaling": 4.0}, {"final_logit_softcapping": 0.1}])
def test_a_head_that_does_something_else_is_refused(rt2_small_models: ModuleType, factor: dict[str, float]) -> None:
    """Llama's head has neither, so a decoder that believed the configuration would be wrong."""
    small = rt2_small_models.build("llava")
    for name, value in factor.items():
        setattr(small.model.config.get_text_config(), name, value)
    with pytest.raises(ConfigurationError, match="differ"):
        ActionHead(small.model, [3, 5])


def test_models_without_the_parts_are_refused(llava: Any) -> None:
    with pytest.raises(ConfigurationError, match="valid are 0 to 399"):
        ActionHead(llava.model, [3, 400])
    with pytest.raises(ConfigurationError, match="output head"):
        ActionHead(llava.model.model, [3])
    with pytest.raises(ConfigurationError, match="no base model"):
        base_of(llava.model.model.language_model)
