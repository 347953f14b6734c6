# SPDX-License-Identifier: Apache-2.0
"""Passes of the model: guessed tokens, a cache of fixed size and the compiled pass change none of the actions."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
import torch
from vla_policy.action.presets import RT2
from vla_policy.errors import ConfigurationError
from vla_policy.rt2.decoding.cached_model import CachedModel
from vla_policy.rt2.decoding.draft import Draft

FAMILIES = ["paligemma", "paligemma2", "idefics3", "qwen2_5_vl", "qwen3_vl", "llava", "fast_vlm"]
PROMPT = [20, 31, 42, 53, 64]


@pytest.fixture(scope="module", params=FAMILIES)
def small(request: pytest.FixtureRequest, rt2_small_models: ModuleType) -> Any:
    return rt2_small_models.build(request.param)


@pytest.fixture(scope="module")
def llava(rt2_small_models: ModuleType) -> Any:
    return rt2_small_models.build("llava")


def test_guessing_changes_no_action(rt2_small_models: ModuleType, small: Any) -> None:
    """Pictures come twice, so that guesses are right, then change, so that they are wrong somewhere in the middle."""
    mode = "sample" if small.family == "idefics3" else "greedy"
    guessing, plain = (rt2_small_models.decoder(small, mode=mode, seed=1, draft=draft) for draft in (True, False))
    passes = []
    for picture in (0, 0, 0, 1, 1, 2, 0, 0):
        inputs = small.inputs(PROMPT, picture)
        found, wanted = guessing.decode(inputs), plain.decode(inputs)
        assert found.tokens.tolist() == wanted.tokens.tolist()
        assert found.probabilities == pytest.approx(wanted.probabilities, rel=1e-3)
        assert plain.passes == len(RT2.sizes)
        passes.append(guessing.passes)
    assert passes[0] == len(RT2.sizes)
    if small.family == "paligemma2":  # its cache slides and cannot be shortened
        assert passes == [len(RT2.sizes)] * len(passes)
    elif mode == "greedy":
        assert passes[2] < len(RT2.sizes)


def test_right_guesses_cost_no_pass_of_their_own_in_the_end(rt2_small_models: ModuleType, llava: Any) -> None:
    decoder = rt2_small_models.decoder(llava)
    for _ in range(30):
        decoder.decode(llava.inputs(PROMPT))
    assert decoder.passes == 1


def test_what_never_repeats_is_not_guessed() -> None:
    draft = Draft(4)
    assert draft.ahead(1) == []
    for turn in range(40):
        draft.learn([7, turn, 9, 5])
    assert draft.ahead(0) == [7]  # position 1 is another one every time
    assert draft.ahead(1) == []
    assert draft.ahead(2) == [9]  # the last position is never fed
    assert draft.ahead(3) == []


def test_the_cache_of_fixed_size_finds_the_same(rt2_small_models: ModuleType, small: Any) -> None:
    if small.family == "paligemma2":  # transformers makes it a mask that it does not take
        with pytest.raises(ConfigurationError, match="fixed size"):
            CachedModel(small.model, static=True)
        return
    grown = rt2_small_models.decoder(small)
    fixed = rt2_small_models.decoder(small, runner=CachedModel(small.model, static=True))
    for picture, words in enumerate((PROMPT, [*PROMPT, 70], PROMPT[:3])):
        inputs = small.inputs(words, picture)
        assert fixed.decode(inputs).tokens.tolist() == grown.decode(inputs).tokens.tolist()


@pytest.mark.parametrize("family", ["paligemma", "qwen2_5_vl", "llava"])
def test_the_compiled_pass_is_one_graph(rt2_small_models: ModuleType, family: str) -> None:
    """What a GPU would run as CUDA graphs: traced here without compiling, never traced again, and the same actions."""
    small = rt2_small_models.build(family)
    runner = CachedModel(small.model, static=True)
    torch._dynamo.reset()
    counters = torch._dynamo.utils.counters
    counters.clear()
    runner.one_pass = torch.compile(runner.base, backend="eager", dynamic=False)
    traced, plain = rt2_small_models.decoder(small, runner=runner), rt2_small_models.decoder(small)
    for picture, words in enumerate((PROMPT, PROMPT[:3], PROMPT)):
        inputs = small.inputs(words, picture)
        assert traced.decode(inputs).tokens.tolist() == plain.decode(inputs).tokens.tolist()
    assert counters["stats"]["unique_graphs"] == 1
    assert not counters["graph_break"]


def test_compile_needs_a_gpu(rt2_small_models: ModuleType, llava: Any) -> None:
    with pytest.raises(ConfigurationError, match="GPU"):
        CachedModel(llava.model, compile=True)
    with pytest.raises(ConfigurationError, match="beam"):
        rt2_small_models.decoder(llava, mode="beam", runner=CachedModel(llava.model, static=True))
