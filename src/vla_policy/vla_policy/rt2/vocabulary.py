# SPDX-License-Identifier: Apache-2.0
"""Which token ids of a language model stand for the action bins: three strategies, saved as data.

The JSON form, inside a checkpoint's rt2.json, is `{"strategy": "integers" | "overwrite" | "new", "ids": [...]}` with
the token id of bin 0 first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vla_policy.action.tokenizer import openvla_ids
from vla_policy.errors import VocabularyError

NEW_TOKEN = "<act_{}>"
CONTEXTS = ("A: ", "A:")  # where an integer is produced: after a space, or straight after the prompt


class Strategy(Enum):
    """How a language model gets its action tokens.

    INTEGERS: the tokens that the tokenizer has for 0, 1, ... (RT-2 on PaLI-X). OVERWRITE: the last ordinary tokens of
    the vocabulary, counted backwards (RT-2 on PaLM-E, OpenVLA). NEW: added tokens; the caller resizes the embeddings.
    """

    INTEGERS = "integers"
    OVERWRITE = "overwrite"
    NEW = "new"


@dataclass(frozen=True, slots=True)
class ActionVocabulary:
    """The token id of each bin, bin 0 first; ids are distinct."""

    strategy: Strategy
    ids: tuple[int, ...]

    def __post_init__(self) -> None:
        """Raise VocabularyError for fewer than two ids, or for ids that repeat or are negative."""
        if len(self.ids) < 2 or len(set(self.ids)) != len(self.ids) or min(self.ids) < 0:
            raise VocabularyError(
                f"{len(self.ids)} action tokens with {len(set(self.ids))} distinct ids, the least "
                f"{min(self.ids, default=None)}; valid are at least 2, all distinct, from 0 on"
            )

    @property
    def bins(self) -> int:
        """Number of bins."""
        return len(self.ids)

    def encode(self, tokens: ArrayLike) -> NDArray[np.int64]:
        """Return the token ids of bin tokens, both (...,). Raises VocabularyError for a bin that does not exist."""
        array = np.asarray(tokens)
        if not np.issubdtype(array.dtype, np.integer) or ((array < 0) | (array >= self.bins)).any():
            raise VocabularyError(f"bin tokens are {array.tolist()}; valid are whole numbers 0 to {self.bins - 1}")
        return np.asarray(np.array(self.ids, dtype=np.int64)[array])

    def decode(self, ids: ArrayLike) -> NDArray[np.uint16]:
        """Return the bin tokens of token ids, both (...,).

        Raises VocabularyError for an id that is no action token: clipped into the range, as OpenVLA does, a stray word
        would become an extreme action.
        """
        array, known = np.asarray(ids), np.array(self.ids, dtype=np.int64)
        order = np.argsort(known)
        found = order[np.searchsorted(known, array, sorter=order).clip(max=self.bins - 1)]
        stray = known[found] != array
        if stray.any():
            raise VocabularyError(
                f"token ids {array[stray].tolist()[:8]} are no action tokens; valid are the {self.bins} ids "
                f"{known.min()} to {known.max()} of strategy {self.strategy.value}"
            )
        return np.asarray(found, dtype=np.uint16)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"strategy": self.strategy.value, "ids": list(self.ids)}

    @classmethod
    def from_dict(cls, data: object) -> ActionVocabulary:
        """Read the JSON form. Raises VocabularyError with what was received and what is valid."""
        if not isinstance(data, Mapping) or set(data) != {"strategy", "ids"}:
            raise VocabularyError(f"vocabulary is {str(data)[:80]}; valid is an object with strategy and ids")
        valid = {strategy.value: strategy for strategy in Strategy}
        ids = data["ids"]
        if not isinstance(data["strategy"], str) or data["strategy"] not in valid:
            raise VocabularyError(f"strategy is {data['strategy']!r}; valid are {', '.join(valid)}")
        if not isinstance(ids, list) or not all(isinstance(i, int) and not isinstance(i, bool) for i in ids):
            raise VocabularyError(f"ids are {str(ids)[:80]}; valid is a list of whole numbers")
        return cls(valid[data["strategy"]], tuple(ids))


def build_vocabulary(strategy: Strategy, tokenizer: Any, bins: int = 256) -> ActionVocabulary:
    """Return the action vocabulary that `strategy` gives a transformers tokenizer.

    NEW adds tokens to `tokenizer` itself (once: a second call finds them). Raises VocabularyError with the reason where
    the tokenizer cannot serve the strategy.
    """
    if not 2 <= bins <= 65536:
        raise VocabularyError(f"bins is {bins}; valid is 2 to 65536")
    ids = {Strategy.INTEGERS: _integers, Strategy.OVERWRITE: _overwrite, Strategy.NEW: _new}[strategy](tokenizer, bins)
    return ActionVocabulary(strategy, tuple(int(i) for i in ids))


def _integers(tokenizer: Any, bins: int) -> Sequence[int]:
    reasons = []
    for context in CONTEXTS:
        ids, reason = _integers_after(tokenizer, bins, context)
        if ids:
            return ids
        reasons.append(f"after {context!r} {reason}")
    raise VocabularyError(
        f"strategy integers needs each of 0 to {bins - 1} as one token: {'; '.join(reasons)}; "
        "valid for this tokenizer are overwrite, new"
    )


def _integers_after(tokenizer: Any, bins: int, context: str) -> tuple[list[int], str]:
    """Return the ids of 0, 1, ... as they follow `context`, or none and the reason."""
    prefix = tokenizer(context.rstrip(), add_special_tokens=False)["input_ids"]
    encoded = tokenizer([f"{context}{number}" for number in range(bins)], add_special_tokens=False)["input_ids"]
    ids = []
    for number, sequence in enumerate(encoded):
        rest = sequence[len(prefix) :]
        if sequence[: len(prefix)] != prefix or len(rest) != 1:
            return [], f"{number} is {len(rest)} tokens, {tokenizer.convert_ids_to_tokens(rest)}"
        if rest[0] == tokenizer.unk_token_id or rest[0] in ids:
            return [], f"{number} is {tokenizer.convert_ids_to_tokens(rest[0])!r}, which is no token of its own"
        ids.append(rest[0])
    return ids, ""


def _overwrite(tokenizer: Any, bins: int) -> Sequence[int]:
    """The last ordinary tokens; added ones (special, image placeholders, <loc...>) have a meaning and are left out."""
    taken = set(tokenizer.added_tokens_decoder) | set(tokenizer.all_special_ids)
    size = tokenizer.vocab_size  # of the tokenizer itself: neither added tokens nor the padding of the embeddings
    ordinary = [i for i in range(size) if i not in taken]
    if len(ordinary) < 2 * bins:
        raise VocabularyError(
            f"strategy overwrite needs room: the tokenizer has {len(ordinary)} ordinary tokens and {bins} of them "
            f"would be overwritten; valid are at least {2 * bins}, or strategy new"
        )
    if ordinary[-bins:] == list(range(size - bins, size)):
        return [int(i) for i in openvla_ids(np.arange(bins), size)]
    return ordinary[: -bins - 1 : -1]


def _new(tokenizer: Any, bins: int) -> Sequence[int]:
    from transformers import AddedToken

    names = [NEW_TOKEN.format(index) for index in range(bins)]
    tokenizer.add_tokens([AddedToken(name, normalized=False, special=True) for name in names], special_tokens=True)
    ids = tokenizer.convert_tokens_to_ids(names)
    if None in ids or tokenizer.unk_token_id in ids or len(set(ids)) != bins:
        raise VocabularyError(f"strategy new: the tokenizer takes no added tokens such as {names[0]}; valid: overwrite")
    return list(ids)
