# SPDX-License-Identifier: Apache-2.0
"""Action vocabularies: each strategy on the kinds of tokenizers that exist, and what is refused."""

from __future__ import annotations

import json
from types import ModuleType

import numpy as np
import pytest
from vla_policy.action.tokenizer import openvla_ids
from vla_policy.errors import ConfigurationError, VocabularyError
from vla_policy.rt2.vocabulary import ActionVocabulary, Strategy, build_vocabulary


@pytest.mark.parametrize("kind", ["words_and_integers", "bytes_like_gpt2"])
def test_integers_are_the_tokens_that_read_as_numbers(rt2_tokenizers: ModuleType, kind: str) -> None:
    tokenizer = getattr(rt2_tokenizers, kind)()
    vocabulary = build_vocabulary(Strategy.INTEGERS, tokenizer)
    assert [tokenizer.decode([i]).strip() for i in vocabulary.ids] == [str(number) for number in range(256)]
    assert tokenizer("A: 7 201", add_special_tokens=False)["input_ids"][-2:] == vocabulary.encode([7, 201]).tolist()


def test_integers_are_refused_where_digits_stand_apart(rt2_tokenizers: ModuleType) -> None:
    with pytest.raises(VocabularyError, match=r"10 is 2 tokens.*valid for this tokenizer are overwrite, new"):
        build_vocabulary(Strategy.INTEGERS, rt2_tokenizers.digits_apart())


def test_integers_are_refused_where_one_is_missing(rt2_tokenizers: ModuleType) -> None:
    with pytest.raises(VocabularyError, match="100 is 2 tokens"):
        build_vocabulary(Strategy.INTEGERS, rt2_tokenizers.words_and_integers(integers=100))
    with pytest.raises(VocabularyError, match="no token of its own"):
        build_vocabulary(Strategy.INTEGERS, rt2_tokenizers.llama_sized())


def test_overwrite_gives_the_ids_of_openvla(rt2_tokenizers: ModuleType) -> None:
    tokenizer = rt2_tokenizers.llama_sized()  # its <pad> is an added token, 32000, as OpenVLA's is
    assert len(tokenizer) == 32001
    vocabulary = build_vocabulary(Strategy.OVERWRITE, tokenizer)
    digitised = np.arange(1, 257)  # OpenVLA: np.digitize gives 1 to 256, id = 32000 - digitised
    assert list(vocabulary.ids) == (32000 - digitised).tolist() == openvla_ids(np.arange(256)).tolist()
    assert (min(vocabulary.ids), max(vocabulary.ids)) == (31744, 31999)


def test_overwrite_leaves_special_tokens_alone(rt2_tokenizers: ModuleType) -> None:
    tokenizer = rt2_tokenizers.bytes_like_gpt2()
    last = tokenizer.vocab_size - 1
    tokenizer.add_special_tokens({"eos_token": tokenizer.convert_ids_to_tokens(last)})  # as GPT-2's <|endoftext|>
    vocabulary = build_vocabulary(Strategy.OVERWRITE, tokenizer, bins=64)
    assert vocabulary.ids == tuple(range(last - 1, last - 65, -1))


def test_overwrite_needs_room(rt2_tokenizers: ModuleType) -> None:
    with pytest.raises(VocabularyError, match=r"256 ordinary tokens.*at least 512"):
        build_vocabulary(Strategy.OVERWRITE, rt2_tokenizers.digits_apart())


def test_new_tokens_come_after_all_others_and_only_once(rt2_tokenizers: ModuleType) -> None:
    tokenizer = rt2_tokenizers.digits_apart()
    before = len(tokenizer)
    vocabulary = build_vocabulary(Strategy.NEW, tokenizer)
    assert vocabulary.ids == tuple(range(before, before + 256))
    assert build_vocabulary(Strategy.NEW, tokenizer) == vocabulary
    assert len(tokenizer) == before + 256
    assert tokenizer("x<act_7><act_255>", add_special_tokens=False)["input_ids"][-2:] == [before + 7, before + 255]


@pytest.mark.parametrize("strategy", list(Strategy))
def test_encode_and_decode_are_inverse(rt2_tokenizers: ModuleType, strategy: Strategy) -> None:
    vocabulary = build_vocabulary(strategy, rt2_tokenizers.bytes_like_gpt2())
    tokens = np.random.default_rng(0).permutation(256).reshape(4, 8, 8)
    ids = vocabulary.encode(tokens)
    assert ids.shape == (4, 8, 8)
    np.testing.assert_array_equal(vocabulary.decode(ids), tokens)
    assert ActionVocabulary.from_dict(json.loads(json.dumps(vocabulary.to_dict()))) == vocabulary


def test_a_stray_id_is_never_clipped() -> None:
    vocabulary = ActionVocabulary(Strategy.OVERWRITE, (9, 8, 7))
    np.testing.assert_array_equal(vocabulary.decode([9, 7, 8]), [0, 2, 1])
    for stray in (-1, 0, 6, 10, 32000):
        with pytest.raises(VocabularyError, match=rf"\[{stray}\] are no action tokens; valid are the 3 ids 7 to 9"):
            vocabulary.decode([8, stray])


@pytest.mark.parametrize("tokens", [[3], [-1], [0.5]])
def test_a_bin_that_does_not_exist_is_refused(tokens: list[float]) -> None:
    with pytest.raises(VocabularyError, match="valid are whole numbers 0 to 2"):
        ActionVocabulary(Strategy.NEW, (1, 2, 3)).encode(tokens)


@pytest.mark.parametrize(
    "data",
    [
        None,
        {"strategy": "new"},
        {"strategy": "some", "ids": [1, 2]},
        {"strategy": "new", "ids": "12"},
        {"strategy": "new", "ids": [1, 2.5]},
        {"strategy": "new", "ids": [1, 1]},
        {"strategy": "new", "ids": [-1, 1]},
        {"strategy": "new", "ids": [5]},
    ],
)
def test_a_wrong_description_is_refused(data: object) -> None:
    with pytest.raises(ConfigurationError, match="valid"):
        ActionVocabulary.from_dict(data)


@pytest.mark.parametrize("bins", [0, 1, 65537])
def test_an_impossible_number_of_bins_is_refused(rt2_tokenizers: ModuleType, bins: int) -> None:
    with pytest.raises(VocabularyError, match="valid is 2 to 65536"):
        build_vocabulary(Strategy.NEW, rt2_tokenizers.digits_apart(), bins)
