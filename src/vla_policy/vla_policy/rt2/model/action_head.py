# SPDX-License-Identifier: Apache-2.0
"""The rows of a language model's output head that say actions, as a small head of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from vla_policy.errors import ConfigurationError

PROBE_TOKENS = 4
PROBE_TOLERANCE = 1e-2  # of the largest logit; a wrong scale or cap differs by far more, bfloat16 by less


class ActionHead:
    """Logits of hidden states, for the action tokens alone or for the whole vocabulary.

    What a family does to its logits after the head is done here too: Cohere's logit_scale, Granite's logits_scaling,
    Gemma's final_logit_softcapping.
    """

    def __init__(self, model: Any, ids: Sequence[int]) -> None:
        """ids: token of each bin. Raises ConfigurationError for an id beyond the vocabulary and for a head that does
        something else to its logits.
        """
        self._head = _output_head(model)
        config = model.config.get_text_config()
        self._scale = _scale(config)
        self._cap = getattr(config, "final_logit_softcapping", None)
        vocabulary = _rows(self._head, model)
        wrong = [number for number in ids if not 0 <= number < vocabulary]
        if wrong or not ids:
            raise ConfigurationError(f"action token ids {wrong[:8]} do not exist; valid are 0 to {vocabulary - 1}")
        self.ids = torch.tensor(ids, device=model.device)  # (bins,)
        self._weight, self._bias = _sliced(self._head, self.ids)
        _check_parity(model, self)

    @property
    def slices(self) -> bool:
        """Whether action logits cost only their own rows; False where the weights are quantised and have no rows."""
        return self._weight is not None

    def actions(self, hidden: Tensor) -> Tensor:
        """Hidden states (..., h) to float32 logits (..., bins)."""
        if self._weight is None:
            return self.full(hidden).index_select(-1, self.ids)
        return self._finish(nn.functional.linear(hidden, self._weight, self._bias))

    def full(self, hidden: Tensor) -> Tensor:
        """Hidden states (..., h) to float32 logits (..., vocabulary)."""
        return self._finish(self._head(hidden))

    def _finish(self, logits: Tensor) -> Tensor:
        logits = logits * self._scale if self._scale != 1.0 else logits
        if self._cap is not None:
            logits = torch.tanh(logits / self._cap) * self._cap
        return logits.float()


def _output_head(model: Any) -> nn.Module:
    head = model.get_output_embeddings()
    if not isinstance(head, nn.Module):
        raise ConfigurationError(f"{type(model).__name__} has no output head; valid is a model that writes text")
    return head


def _scale(config: Any) -> float:
    """What the family multiplies its logits with."""
    if (divisor := getattr(config, "logits_scaling", None)) is not None:
        return 1.0 / float(divisor)
    factor = getattr(config, "logit_scale", None)
    return 1.0 if factor is None else float(factor)


def _rows(head: nn.Module, model: Any) -> int:
    return int(getattr(head, "out_features", 0) or model.config.get_text_config().vocab_size)


def _sliced(head: nn.Module, ids: Tensor) -> tuple[Tensor | None, Tensor | None]:
    """Contiguous (bins, h) rows and (bins,) bias, copied once; (None, None) for packed or quantised weights."""
    weight = getattr(head, "weight", None)
    if not isinstance(head, nn.Linear) or type(weight) is not nn.Parameter or not weight.dtype.is_floating_point:
        return None, None
    bias = None if head.bias is None else head.bias.detach()[ids].contiguous()
    return weight.detach()[ids].contiguous(), bias


@torch.inference_mode()
def _check_parity(model: Any, head: ActionHead) -> None:
    """Compare with the model's own logits for a few tokens: a family may do something that is not known here."""
    tokens = head.ids[:PROBE_TOKENS][None]
    wanted = model(input_ids=tokens, use_cache=False).logits[0].float()
    hidden = base_of(model)(input_ids=tokens, use_cache=False).last_hidden_state[0]
    found = head.actions(hidden)
    wanted = wanted.index_select(-1, head.ids)
    scale = float(wanted.abs().max().clamp_min(1e-6))
    if not bool(((found - wanted).abs() <= PROBE_TOLERANCE * scale).all()):
        raise ConfigurationError(
            f"the output head of {type(model).__name__} does something to its logits that this decoder does not know "
            f"(they differ by {float((found - wanted).abs().max()):.3g} of {scale:.3g})"
        )


def base_of(model: Any) -> Any:
    """The model without its output head. Raises ConfigurationError where it has no such part."""
    base = model.base_model
    if base is model:
        raise ConfigurationError(f"{type(model).__name__} has no base model; valid is an image-text-to-text model")
    return base
