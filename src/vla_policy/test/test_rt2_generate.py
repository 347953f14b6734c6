# SPDX-License-Identifier: Apache-2.0
"""Free text: what `generate` of transformers says, stop texts, and how sure the model was."""

from __future__ import annotations

import math
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast
from vla_policy.errors import ActionRefusedError, ConfigurationError
from vla_policy.rt2.decoding.cached_model import CachedModel
from vla_policy.rt2.decoding.generate import TextGenerator

PROMPT = [20, 31, 42, 53, 64]


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    """Token i is the word wi; 1 ends a text."""
    words = {"<pad>": 0, "</s>": 1, **{f"w{i}": i for i in range(2, 400)}}
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel(words, unk_token="<pad>")), eos_token="</s>", pad_token="<pad>"
    )


@pytest.fixture(scope="module", params=["paligemma", "idefics3", "qwen2_5_vl", "llava", "fast_vlm"])
def small(request: pytest.FixtureRequest, rt2_small_models: ModuleType) -> Any:
    return rt2_small_models.build(request.param)


def make(small: Any, tokenizer: Any, **options: Any) -> TextGenerator:
    return TextGenerator(SimpleNamespace(model=small.model, tokenizer=tokenizer), **options)


def test_says_what_generate_says(small: Any, tokenizer: Any) -> None:
    generator = make(small, tokenizer)
    for picture in range(3):
        inputs = small.inputs(PROMPT, picture)
        output = small.model.generate(
            **inputs, max_new_tokens=12, do_sample=False, output_scores=True, return_dict_in_generate=True
        )
        wanted = output.sequences[0, inputs["input_ids"].shape[1] :].tolist()
        sure = [float(s[0].softmax(dim=0)[i]) for s, i in zip(output.scores, wanted, strict=True)]
        found = generator.generate(inputs, max_tokens=12)
        assert list(found.tokens) == wanted
        assert found.confidence == pytest.approx(sum(sure) / len(sure), rel=1e-3)
        assert found.finished == (wanted[-1] == 1)


def test_a_stop_text_ends_it_and_is_left_out(small: Any, tokenizer: Any) -> None:
    generator, inputs = make(small, tokenizer), small.inputs(PROMPT)
    whole = generator.generate(inputs, max_tokens=8)
    words = whole.text.split()
    stopped = generator.generate(inputs, max_tokens=8, stops=(words[3], "never said"))
    assert stopped.text.split() == words[: words.index(words[3])]
    assert stopped.finished
    assert len(stopped.tokens) == words.index(words[3]) + 1


def test_an_end_token_ends_it(rt2_small_models: ModuleType, tokenizer: Any) -> None:
    small = rt2_small_models.build("llava")
    inputs = small.inputs(PROMPT)
    wanted = make(small, tokenizer).generate(inputs, max_tokens=6).tokens
    small.model.generation_config.eos_token_id = [1, wanted[2]]
    found = make(small, tokenizer).generate(inputs, max_tokens=6)
    assert found.finished
    assert found.tokens == wanted[: wanted.index(wanted[2]) + 1]
    assert found.text.split() == [f"w{i}" for i in found.tokens[:-1]]


def test_a_question_about_the_same_picture_reuses_it(rt2_small_models: ModuleType, tokenizer: Any) -> None:
    small = rt2_small_models.build("llava")
    runner = CachedModel(small.model)
    generator = make(small, tokenizer, runner=runner)
    generator.generate(small.inputs(PROMPT), max_tokens=4)
    other = small.inputs([99, 98, 97])
    found = generator.generate(other, max_tokens=4)
    assert runner.reused == small.image_tokens
    assert found.tokens == make(small, tokenizer).generate(other, max_tokens=4).tokens


def test_what_cannot_be_answered_is_refused(rt2_small_models: ModuleType, tokenizer: Any) -> None:
    small = rt2_small_models.build("llava")
    generator = make(small, tokenizer)
    for inputs, most in ((small.batch([PROMPT, PROMPT]), 4), (small.inputs(PROMPT), 0), (small.inputs(PROMPT), 1000)):
        with pytest.raises(ConfigurationError, match="valid is 1 prompt"):
            generator.generate(inputs, max_tokens=most)
    with torch.no_grad():
        small.model.get_output_embeddings().weight.fill_(math.nan)
    with pytest.raises(ActionRefusedError, match="finite"):
        generator.generate(small.inputs(PROMPT, 5))
