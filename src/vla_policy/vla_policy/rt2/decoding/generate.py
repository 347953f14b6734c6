# SPDX-License-Identifier: Apache-2.0
"""Free text from the same model: on a prompt that is no robot prompt the whole vocabulary may come out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from vla_policy.errors import ActionRefusedError, ConfigurationError
from vla_policy.rt2.decoding.cached_model import NEW_TOKENS, CachedModel
from vla_policy.rt2.model.action_head import ActionHead


@dataclass(frozen=True, slots=True)
class Generated:
    """An answer. confidence: mean probability of its tokens, 0 to 1; finished: it ended by itself or at a stop text."""

    text: str
    confidence: float
    tokens: tuple[int, ...]
    finished: bool


class HasTokenizer(Protocol):
    """What a generator needs of a back end."""

    @property
    def model(self) -> Any:
        """An image-text-to-text model of transformers."""

    @property
    def tokenizer(self) -> Any:
        """Its tokenizer."""


class TextGenerator:
    """Greedy answers to prompts of one row. Not thread-safe."""

    def __init__(self, backend: HasTokenizer, runner: CachedModel | None = None) -> None:
        """runner: the model's cache, to share it with other users of the same model."""
        self._tokenizer = backend.tokenizer
        self._ends = _end_tokens(backend.model, backend.tokenizer)
        self._head = ActionHead(backend.model, self._ends)
        self.runner = runner or CachedModel(backend.model)

    @torch.inference_mode()
    def generate(self, inputs: Mapping[str, Tensor], max_tokens: int = 48, stops: Sequence[str] = ()) -> Generated:
        """The answer to a processor's output, up to an end token, the first of the texts `stops` (left out), or
        `max_tokens`. Raises ConfigurationError for another number of rows or tokens, ActionRefusedError where the
        model's answer is not finite.
        """
        if len(inputs["input_ids"]) != 1 or not 1 <= max_tokens <= NEW_TOKENS:
            raise ConfigurationError(
                f"{len(inputs['input_ids'])} prompts, {max_tokens} tokens; valid is 1 prompt and 1 to {NEW_TOKENS}"
            )
        tokens: list[int] = []
        probabilities: list[float] = []
        hidden = self.runner.prefill(inputs)[:, -1]
        while True:
            probability, token = self._head.full(hidden)[0].softmax(dim=0).max(dim=0)
            tokens.append(int(token))
            probabilities.append(float(probability))
            text, finished = self._text(tokens, stops)
            if finished or len(tokens) == max_tokens:
                break
            hidden = self.runner.step(token[None, None])[:, -1]
        confidence = sum(probabilities) / len(probabilities)
        if not 0.0 <= confidence <= 1.0 + 1e-6:
            raise ActionRefusedError("the model answered with numbers that are not finite; valid are finite logits")
        return Generated(text, min(confidence, 1.0), tuple(tokens), finished)

    def _text(self, tokens: Sequence[int], stops: Sequence[str]) -> tuple[str, bool]:
        """What was said so far, and whether it is over."""
        over = tokens[-1] in self._ends
        text = str(self._tokenizer.decode(tokens[:-1] if over else tokens, skip_special_tokens=True))
        found = [place for stop in stops if stop and (place := text.find(stop)) >= 0]
        return (text[: min(found)] if found else text).strip(), over or bool(found)


def _end_tokens(model: Any, tokenizer: Any) -> tuple[int, ...]:
    """The ids that end an answer. Raises ConfigurationError where there are none."""
    configured = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    several = configured if isinstance(configured, list | tuple) else [configured]
    ends = tuple(sorted({int(i) for i in (*several, tokenizer.eos_token_id) if i is not None}))
    if not ends:
        raise ConfigurationError("neither model nor tokenizer names an end-of-sequence token; valid is one that does")
    return ends
