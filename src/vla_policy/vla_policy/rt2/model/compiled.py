# SPDX-License-Identifier: Apache-2.0
"""A vision-language model whose picture and decoder passes are compiled, within the model that transformers made.

The cache of keys and values, the prompt and the placement of the picture's features stay with transformers: compiled is
the vision encoder, and the decoder from embeddings and earlier keys and values to hidden states and new ones.
"""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vla_policy.engine.cache import Part, Prepared
from vla_policy.engine.choice import EAGER, choose
from vla_policy.engine.openvino import Compiled
from vla_policy.rt2.model.action_head import base_of
from vla_policy.rt2.model.checkpoint import RT2Checkpoint

LOG = logging.getLogger(__name__)
VISION, LANGUAGE = "vision", "language"
HIDDEN = -1e9  # added to the attention of what must not be seen


def use_engine(checkpoint: RT2Checkpoint, engine: object, threads: int) -> None:
    """Put compiled passes into a model that can be compiled, where the engine is there.

    Raises ConfigurationError for an unknown engine.
    """
    model, folder = checkpoint.backend.model, Path(checkpoint.source)
    base, inputs = base_of(model), _example(checkpoint)
    fits = engine != EAGER and folder.is_dir() and model.dtype == torch.float32 and can_be_compiled(base, inputs)
    prepared = choose(engine, model.device.type if fits else "none", folder, lambda: compiled_parts(base, inputs))
    if prepared is None:
        return
    try:
        use_compiled(base, prepared, inputs, threads)
    except (RuntimeError, ValueError) as error:  # a damaged cache, a processor that computes otherwise
        LOG.warning("engine: eager, for what is in %s cannot be used: %s", prepared.folder, error)


def compiled_parts(base: Any, inputs: Mapping[str, Tensor]) -> Mapping[str, Part]:
    """What is compiled of a model, by name."""
    pixels = inputs["pixel_values"]
    language = _Language(base.language_model)
    shapes = ([1, -1, -1], [1, -1], [-1, -1, -1, -1], [1, 1, -1, -1])
    return {
        VISION: Part(_Vision(base), [pixels], [pixels.shape]),
        LANGUAGE: Part(language, _language_example(base.language_model), shapes),
    }


class CompiledLanguage(nn.Module):
    """The decoder of a vision-language model; several sequences, padding and fixed caches are left to the eager one."""

    def __init__(self, eager: Any, compiled: Compiled) -> None:
        super().__init__()
        self.eager, self.config, self._compiled = eager, eager.config, compiled
        self.compiled_passes = 0

    def __getattr__(self, name: str) -> Any:
        """Whatever else the model asks its decoder for."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("eager"), name)

    def forward(
        self,
        inputs_embeds: Tensor | None = None,
        past_key_values: Any = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        **options: Any,
    ) -> Any:
        """As the eager decoder's."""
        from transformers import DynamicCache
        from transformers.modeling_outputs import BaseModelOutputWithPast

        plain = attention_mask is None or (attention_mask.ndim == 2 and bool(attention_mask.all()))
        if (
            inputs_embeds is None
            or len(inputs_embeds) != 1
            or position_ids is None
            or not plain
            or type(past_key_values) is not DynamicCache
        ):
            return self.eager(
                inputs_embeds=inputs_embeds,
                past_key_values=past_key_values,
                attention_mask=attention_mask,
                position_ids=position_ids,
                **options,
            )
        past = _stacked(past_key_values, self.config)
        mask = _mask(inputs_embeds.shape[1], past_key_values.get_seq_length(), past.shape[2])
        hidden, new = self._compiled(inputs_embeds, position_ids, past, mask)
        for layer in range(len(new) // 2):
            past_key_values.update(new[2 * layer][None], new[2 * layer + 1][None], layer)
        self.compiled_passes += 1
        return BaseModelOutputWithPast(last_hidden_state=hidden, past_key_values=past_key_values)


def _example(checkpoint: RT2Checkpoint) -> Mapping[str, Tensor]:
    """What the processor makes of a picture of the size that the checkpoint names, nothing where it names none."""
    size = checkpoint.info.control.get("image_size")
    if size is None:
        return {}
    return checkpoint.backend.inputs([np.zeros((int(size[0]), int(size[1]), 3), np.uint8)], ["warm up"])


@torch.inference_mode()
def can_be_compiled(base: Any, inputs: Mapping[str, Tensor]) -> bool:
    """Whether the picture is one tensor in and one out (LLaVA gives a list), before a language model of its own."""
    features = getattr(base, "get_image_features", None)
    if features is None or not hasattr(base, "language_model") or "pixel_values" not in inputs:
        return False
    if any(name in inputs and name != "pixel_values" for name in inspect.signature(features).parameters):
        return False
    return isinstance(features(pixel_values=inputs["pixel_values"], return_dict=True).pooler_output, Tensor)


def use_compiled(base: Any, prepared: Prepared, inputs: Mapping[str, Tensor], threads: int = 0) -> None:
    """Put the compiled passes into a model, in place.

    Raises what `Prepared.load` raises.
    """
    from transformers.modeling_outputs import BaseModelOutputWithPooling

    loaded = {name: prepared.load(name, part, threads) for name, part in compiled_parts(base, inputs).items()}
    eager, size = base.get_image_features, inputs["pixel_values"].shape

    @functools.wraps(eager)
    def get_image_features(pixel_values: Tensor, **options: Any) -> Any:
        if pixel_values.shape != size:
            return eager(pixel_values=pixel_values, **options)
        return BaseModelOutputWithPooling(pooler_output=loaded[VISION](pixel_values)[0])

    base.get_image_features = get_image_features
    base.language_model = CompiledLanguage(base.language_model, loaded[LANGUAGE])


class _Vision(nn.Module):
    def __init__(self, base: Any) -> None:
        super().__init__()
        self.base = base

    def forward(self, pixel_values: Tensor) -> Tensor:
        features: Tensor = self.base.get_image_features(pixel_values=pixel_values, return_dict=True).pooler_output
        return features


class _Language(nn.Module):
    def __init__(self, language: Any) -> None:
        super().__init__()
        self.language = language

    def forward(self, embeds: Tensor, positions: Tensor, past: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        cache = _Past(past)
        hidden = self.language(
            inputs_embeds=embeds, position_ids=positions, past_key_values=cache, attention_mask=mask, use_cache=True
        ).last_hidden_state
        return hidden, torch.cat(cache.new)


class _Past:
    """Keys and values of earlier tokens as one tensor (2 * layers, heads, n, dim); keeps apart what is added."""

    is_compileable = False

    def __init__(self, past: Tensor) -> None:
        self.past, self.new = past, list[Tensor]()

    def update(self, keys: Tensor, values: Tensor, layer: int, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        self.new += [keys, values]
        earlier = self.past[2 * layer : 2 * layer + 1], self.past[2 * layer + 1 : 2 * layer + 2]
        return torch.cat([earlier[0], keys], dim=2), torch.cat([earlier[1], values], dim=2)

    def get_seq_length(self, layer: int = 0) -> int:
        return self.past.shape[2]


def _stacked(cache: Any, config: Any) -> Tensor:
    """Keys and values (2 * layers, heads, n, dim); an empty cache becomes one token that the mask hides."""
    if cache.get_seq_length() == 0:
        return torch.zeros(2 * config.num_hidden_layers, _heads(config), 1, _head_dim(config))
    return torch.cat([each for layer in cache.layers for each in (layer.keys, layer.values)])


def _mask(count: int, earlier: int, stored: int) -> Tensor:
    """What is added to the attention (1, 1, count, stored + count); `earlier` of the `stored` tokens are real."""
    mask = torch.zeros(count, stored + count)
    mask[:, :stored] = HIDDEN if earlier == 0 else 0.0
    mask[:, stored:] = torch.full((count, count), HIDDEN).triu(1)
    return mask[None, None]


def _heads(config: Any) -> int:
    return int(getattr(config, "num_key_value_heads", None) or config.num_attention_heads)


def _head_dim(config: Any) -> int:
    return int(getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads)


def _language_example(language: Any) -> list[Tensor]:
    config, generator = language.config, torch.Generator().manual_seed(0)
    past = torch.randn(2 * config.num_hidden_layers, _heads(config), 5, _head_dim(config), generator=generator)
    embeds = torch.randn(1, 3, config.hidden_size, generator=generator)
    return [embeds, torch.arange(5, 8)[None], past, _mask(3, 5, 5)]
