# SPDX-License-Identifier: Apache-2.0
"""Tiny tokenizers of the kinds that vision-language models have, made from nothing."""

from __future__ import annotations

from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

SPECIALS = {"pad_token": "<pad>", "unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"}
WORDS = (
    "q a : ? . , what action should the robot take to pick up red blue block state plan in out is it yes no where "
    "move grasp and user assistant"
)


def _fast(tokenizer: Tokenizer, extra: tuple[str, ...] = ()) -> Any:
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **SPECIALS, extra_special_tokens=list(extra))


def words_and_integers(extra: tuple[str, ...] = (), integers: int = 256) -> Any:
    """WordPiece over lower-case words, with 0, 1, ... as tokens of their own and every printable character."""
    characters = [chr(code) for code in range(33, 127)]
    pieces = [*SPECIALS.values(), *extra, *WORDS.split(), *map(str, range(integers))]
    pieces += [*characters, *(f"##{character}" for character in characters)]
    vocabulary = {piece: index for index, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation()])
    tokenizer.decoder = decoders.WordPiece()
    return _fast(tokenizer, extra)


def bytes_like_gpt2(integers: int = 256) -> Any:
    """Byte-level BPE that learned " 0" to " 255" whole, its end-of-text token last in the base vocabulary."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=2000, min_frequency=1, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator([f"A: {number}" for number in range(integers)] * 3, trainer)
    return _fast(tokenizer)


def digits_apart() -> Any:
    """Byte-level, every digit a token, as Gemma, Llama 2 and Qwen have it."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {character: index for index, character in enumerate(alphabet)}
    tokenizer = Tokenizer(models.BPE(vocabulary, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return _fast(tokenizer)


def llama_sized(vocabulary: int = 32000) -> Any:
    """A base vocabulary of Llama's size and order of special tokens: unknown, begin, end, then words."""
    pieces = ["<unk>", "<s>", "</s>", *(f"word{index}" for index in range(3, vocabulary))]
    tokenizer = Tokenizer(models.WordLevel({piece: index for index, piece in enumerate(pieces)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return _fast(tokenizer)
