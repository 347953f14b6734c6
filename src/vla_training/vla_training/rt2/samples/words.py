# SPDX-License-Identifier: Apache-2.0
"""The small model's words: a WordPiece vocabulary cut from MiniLM's, with 0 to 255 as single tokens."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedTokenizerFast
from vla_policy.rt1.instruction import encoder_path

SPECIAL = ("[PAD]", "[UNK]", "<bos>", "<eos>", "<image>")
INTEGERS = tuple(str(i) for i in range(256))
COMMON_WORDS = 2500  # whole words of MiniLM's list, which goes from frequent to rare
NEIGHBOURS = 64  # of each word that is trained: words that a user may say instead
SCALE = 0.1  # standard deviation of the rows
_FIRST_WORD = 1996  # "the": what stands before are unused places, digits and letters
_TABLE = "embeddings.word_embeddings.weight"


def small_vocabulary(texts: Sequence[str], folder: Path | None = None) -> list[str]:
    """Special tokens, integers, letters and continuations, words of `texts` and their neighbours, common words."""
    pieces, table = _minilm(folder)
    known = {piece: i for i, piece in enumerate(pieces)}
    letters = [p for p in pieces if len(p.removeprefix("##")) == 1 and p.isascii()]
    used = sorted({word for text in texts for word in _split(text) if word in known and word.isalpha()})
    words = [p for p in pieces[_FIRST_WORD:] if p.isascii() and p.isalpha()]
    rows = functional.normalize(table[[known[w] for w in words]], dim=-1)
    asked = functional.normalize(table[[known[w] for w in used]], dim=-1)
    near = (asked @ rows.T).topk(NEIGHBOURS, dim=-1).indices.flatten().tolist()
    return list(
        dict.fromkeys(
            [*SPECIAL, *INTEGERS, *letters, *used, *words[:COMMON_WORDS], *(words[i] for i in sorted(set(near)))]
        )
    )


@lru_cache(maxsize=1)
def _minilm(folder: Path | None) -> tuple[list[str], Tensor]:
    """MiniLM's word pieces and their embeddings (pieces, 384)."""
    folder = folder or encoder_path()
    pieces = folder.joinpath("vocab.txt").read_text(encoding="utf-8").splitlines()
    return pieces, load_file(folder / "model.safetensors")[_TABLE]


def _split(text: str) -> list[str]:
    words = pre_tokenizers.BertPreTokenizer().pre_tokenize_str(text.lower())
    return [word for word, _ in words]


def small_tokenizer(vocabulary: Sequence[str]) -> PreTrainedTokenizerFast:
    """A lower-casing WordPiece tokenizer of these words; a text begins with <bos>."""
    tokenizer = Tokenizer(models.WordPiece({w: i for i, w in enumerate(vocabulary)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A", special_tokens=[("<bos>", list(vocabulary).index("<bos>"))]
    )
    tokenizer.decoder = decoders.WordPiece(prefix="##", cleanup=True)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        bos_token="<bos>",
        eos_token="<eos>",
        extra_special_tokens={"image_token": "<image>"},
        padding_side="left",
    )


def word_embeddings(vocabulary: Sequence[str], width: int, folder: Path | None = None) -> Tensor:
    """Rows (len(vocabulary), width): MiniLM's word embeddings on their `width` principal axes.

    Similar words have similar rows, which is what lets a wording that was never trained be understood; `words_of` says
    which rows these are. Integers get sines and cosines of their value, so that neighbours are alike, as positions do
    in a Transformer; what is left gets random rows.
    """
    pieces, table = _minilm(folder)
    known = {piece: i for i, piece in enumerate(pieces)}
    rows = torch.randn(len(vocabulary), width, generator=torch.Generator().manual_seed(0))
    here = words_of(vocabulary)
    wanted = table[[known[vocabulary[i]] for i in here]]
    wanted = wanted - wanted.mean(dim=0)
    _, _, axes = torch.linalg.svd(wanted, full_matrices=False)
    projected = wanted @ axes[:width].T
    rows[here] = projected / projected.std()
    first = list(vocabulary).index(INTEGERS[0])
    rows[first : first + len(INTEGERS)] = _ordinal(len(INTEGERS), width)
    return SCALE * rows


def words_of(vocabulary: Sequence[str]) -> list[int]:
    """Indices of the whole words, whose embeddings are MiniLM's and are not trained."""
    return [i for i, word in enumerate(vocabulary) if len(word) > 1 and word.isalpha()]


def _ordinal(count: int, width: int) -> Tensor:
    """(count, width) with variance 1: periods from twice `count` down to 4, as many as there is room for."""
    periods = torch.logspace(0, -1, width // 2, base=count / 2) * 2 * count
    phase = 2 * torch.pi * torch.arange(count)[:, None] / periods
    return torch.cat([phase.sin(), phase.cos()], dim=1) * 2**0.5
