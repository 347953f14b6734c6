# SPDX-License-Identifier: Apache-2.0
"""A vision-language model behind its key-value cache: the prompt once, then one pass per token, nothing twice.

What is computed is what `generate` of transformers computes, without the output head: the family's own position ids,
token types and masks. What the last prompt had in common with this one is not computed again.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from vla_policy.errors import ConfigurationError
from vla_policy.rt2.model.action_head import base_of

ROOM_STEP = 64  # a cache of fixed size is a multiple of this long, so that prompts of similar length share one
_KINDS = ("mm_token_type_ids",)  # (b, n) kind of each token, 0 for text
NEW_TOKENS = 64  # [tokens] that a cache of fixed size leaves for after the prompt


class CachedModel:
    """One model, one sequence (or batch) at a time. Not thread-safe.

    Reuse between prompts, where the family allows it: the text before the image when the image is new, everything up to
    the first token that differs when it is the same image; of the same image always at least its features. Families
    whose prompt tokens see each other both ways (PaliGemma), and caches that slide or cannot be cropped, reuse no more.
    """

    def __init__(self, model: Any, reuse: bool = True, static: bool = False, compile: bool = False) -> None:
        """static: keep keys and values in tensors of fixed size; compile: also compile the single-token pass with CUDA
        graphs, which needs a GPU. Raises ConfigurationError where the model or the device cannot serve that.
        """
        self.model, self.base = model, base_of(model)
        if compile and model.device.type != "cuda":
            raise ConfigurationError(
                f"compile needs an NVIDIA GPU, the model is on {model.device}; valid: compile=False"
            )
        self._static, self._reuse = static or compile, reuse and not (static or compile)
        self.one_pass = torch.compile(self.base, mode="reduce-overhead", dynamic=False) if compile else self.base
        self._clones = compile  # CUDA graphs write each result to the same place
        self._image_names = _parameters(getattr(self.base, "get_image_features", None))
        self._splits_images = "mm_encoder_outputs" in _parameters(self.base.forward)
        self.prefilled = 0  # [tokens] that the last prompt cost
        self.reused = 0  # [tokens] of it that were already there
        self.reset()
        if self._static:
            self._try_static()

    def reset(self) -> None:
        """Forget everything."""
        self._cache: Any = None
        self._prompt: list[int] = []  # what the first row of the cache begins with, empty where it cannot be reused
        self._images: dict[str, Tensor] = {}
        self._features: Any = None
        self._rows = 0
        self._mask: Tensor | None = None
        self._positions = self._offset = torch.zeros(0)

    @property
    def static(self) -> bool:
        """Whether the cache has a fixed size; beams need one that grows."""
        return self._static

    def prefill(self, inputs: Mapping[str, Tensor], guess: Sequence[int] = ()) -> Tensor:
        """Processor outputs of a left-padded batch to the hidden states (b, k, h) after their last tokens.

        guess: tokens that may follow; k is 1 and as many as could be computed along with the prompt: all or none.
        """
        with self._whole_or_nothing():
            return self._prefill(inputs, guess)

    @torch.inference_mode()
    def _prefill(self, inputs: Mapping[str, Tensor], guess: Sequence[int]) -> Tensor:
        rest = {name: value for name, value in inputs.items() if name not in ("input_ids", "attention_mask")}
        ids = inputs["input_ids"]
        mask = inputs.get("attention_mask", torch.ones_like(ids))
        padded = not bool(mask.all())
        images = {name: rest[name] for name in self._image_names if isinstance(rest.get(name), Tensor)}
        same = _equal(images, self._images)
        prompt = ids[0].tolist() if len(ids) == 1 and not padded and "token_type_ids" not in rest else []
        known = self._shared(prompt, same) if self._reuse else 0
        self._forget_after(known, ids.shape[1], len(ids))
        guess = guess if prompt and self.rewinds and not self._told_by_token(rest, ids.shape[1]) else ()
        if guess:
            ids, mask = _followed(ids, guess), _followed(mask, [1] * len(guess))
            rest |= {name: _followed(rest[name], [0] * len(guess)) for name in _KINDS if name in rest}
        positions = self.model._prepare_position_ids_for_generation(ids, {"attention_mask": mask, **rest})
        rest = self._with_features(rest, images, same and self._reuse, self._has_image(ids[:, known:]))
        hidden = self._first_pass(ids, known, mask, positions, rest)[:, -1 - len(guess) :]
        self._mask = mask if padded or self._static else None
        self._prompt, self._images, self._rows = prompt, images, len(ids)
        self.prefilled, self.reused = inputs["input_ids"].shape[1], known
        return hidden

    def step(self, ids: Tensor) -> Tensor:
        """The next k tokens of every sequence (b, k) to the hidden states (b, k, h) after each of them."""
        with self._whole_or_nothing():
            return self._step(ids)

    @contextmanager
    def _whole_or_nothing(self) -> Iterator[None]:
        """A pass that fails, for want of memory say, leaves layers of different length: forget them all."""
        try:
            yield
        except BaseException:
            self.reset()
            raise

    @torch.inference_mode()
    def _step(self, ids: Tensor) -> Tensor:
        count = ids.shape[1]
        if self._mask is not None:
            self._mask = torch.cat([self._mask, self._mask.new_ones(len(self._mask), count)], dim=1)
        self._positions = self._positions[..., -1:] + torch.arange(1, count + 1, device=ids.device)
        hidden: Tensor = self.one_pass(**self._step_inputs(ids)).last_hidden_state
        return hidden.clone() if self._clones else hidden

    @property
    def rewinds(self) -> bool:
        """Whether the sequence can be shortened again."""
        return not self._static and bool(self._cache.is_croppable) and not any(self._cache.is_sliding)

    def rewind(self, count: int) -> None:
        """Forget the last `count` tokens of those that steps added."""
        self._cache.crop(-count)
        self._positions = self._positions[..., -1:] - count
        if self._mask is not None:
            self._mask = self._mask[:, : self._mask.shape[1] - count]

    def branch(self, rows: Tensor) -> None:
        """Go on with the sequences `rows` (m,) of this batch, each as often as it is named."""
        self._cache.batch_select_indices(rows)
        self._rows = len(rows)
        self._positions = self._positions[..., -1:].index_select(-2, rows)
        if self._mask is not None:
            self._mask = self._mask[rows]

    def _try_static(self) -> None:
        """Raise ConfigurationError where the family's masks do not fit a cache of fixed size (PaliGemma 2)."""
        ids = torch.zeros(1, 2, dtype=torch.long, device=self.model.device)
        try:
            self.prefill({"input_ids": ids})
        except (AttributeError, TypeError, ValueError) as error:
            raise ConfigurationError(
                f"{type(self.model).__name__} cannot use a cache of fixed size ({error}); valid: compile=False"
            ) from error
        self.reset()

    def _first_pass(self, ids: Tensor, known: int, mask: Tensor, positions: Tensor, rest: dict[str, Any]) -> Tensor:
        length = ids.shape[1] - known
        prepared = self.model.prepare_inputs_for_generation(
            ids,
            next_sequence_length=length,
            past_key_values=self._cache,
            attention_mask=mask,
            position_ids=positions,
            is_first_iteration=True,
            use_cache=True,
            **rest,
        )
        self._positions = positions[..., -1:]  # (b, 1), with axes in front where a token has several positions
        self._offset = (prepared["position_ids"][..., -1:] - self._positions)[..., :1, :]  # PaliGemma counts from 1
        hidden: Tensor = self.base(**prepared).last_hidden_state
        return hidden

    def _step_inputs(self, ids: Tensor) -> dict[str, Any]:
        if self._static:  # needs a mask of the cache's whole length, which the family makes
            return dict(
                self.model.prepare_inputs_for_generation(
                    ids,
                    past_key_values=self._cache,
                    attention_mask=self._mask,
                    position_ids=self._positions,
                    is_first_iteration=False,
                    use_cache=True,
                )
            )
        return {
            "input_ids": ids,
            "past_key_values": self._cache,
            "attention_mask": self._mask,
            "position_ids": self._positions + self._offset,
            "use_cache": True,
        }

    def _shared(self, prompt: list[int], same_images: bool) -> int:
        """How many tokens at the front of `prompt` the cache holds; at least one is left to compute."""
        if not (prompt and self._prompt and self.rewinds):
            return 0
        limit = min(len(prompt) - 1, len(self._prompt))
        count = next((i for i in range(limit) if prompt[i] != self._prompt[i]), limit)
        image = self._image_token
        if image in prompt:
            first, last = prompt.index(image), len(prompt) - 1 - prompt[::-1].index(image)
            if count > first and not (same_images and count > last):
                return first
        return count

    def _forget_after(self, known: int, length: int, batch: int) -> None:
        """Leave the first `known` tokens of the first sequence in the cache, or make an empty one."""
        self._prompt = []
        if known:
            if self._rows > 1:
                self._cache.batch_select_indices(torch.zeros(1, dtype=torch.long, device=self.model.device))
            self._cache.crop(known - self._cache.get_seq_length())
        elif not self._static:
            self._cache = _dynamic_cache(self.model)
        elif self._fits(length, batch):
            self._cache.reset()
        else:
            room = -(-(length + NEW_TOKENS) // ROOM_STEP) * ROOM_STEP
            self._cache = _static_cache(self.model, room)

    def _fits(self, length: int, batch: int) -> bool:
        cache = self._cache
        return cache is not None and cache.batch_size == batch and length + NEW_TOKENS <= cache.get_max_length()

    def _with_features(
        self, rest: dict[str, Any], images: dict[str, Tensor], same: bool, wanted: bool
    ) -> dict[str, Any]:
        """The keyword arguments for the first pass: without images where no image token is to come (not `wanted`), with
        their features, kept while the images are the `same`, where the family takes features.
        """
        if not images:
            self._features = None
            return rest
        bare = {name: value for name, value in rest.items() if name not in images}
        if not wanted:
            return bare
        if not self._splits_images:
            return rest
        if not same or self._features is None:
            self._images = {}
            self._features = self.base.get_image_features(**images, return_dict=True)
        return bare | {"mm_encoder_outputs": {"image": self._features}}

    def _told_by_token(self, rest: Mapping[str, Any], length: int) -> bool:
        """Whether an input says something of each token of the prompt that is not known here how to continue."""
        others = (value for name, value in rest.items() if name not in (*self._image_names, *_KINDS))
        return any(isinstance(value, Tensor) and length in value.shape[1:] for value in others)

    def _has_image(self, ids: Tensor) -> bool:
        return bool((ids == self._image_token).any())

    @property
    def _image_token(self) -> int:
        token = getattr(self.model.config, "image_token_id", None)
        if token is None:
            raise ConfigurationError(f"{type(self.model).__name__} names no image token; valid is a model that does")
        return int(token)


def _followed(row: Tensor, tail: Sequence[int]) -> Tensor:
    """(1, n) with more numbers behind."""
    return torch.cat([row, row.new_tensor([tail])], dim=1)


def _parameters(function: Any) -> tuple[str, ...]:
    names = () if function is None else tuple(inspect.signature(function).parameters)
    return tuple(name for name in names if name not in ("self", "kwargs"))


def _equal(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return bool(one) and one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def _dynamic_cache(model: Any) -> Any:
    from transformers import DynamicCache

    return DynamicCache(config=model.config.get_text_config(decoder=True))


def _static_cache(model: Any, room: int) -> Any:
    from transformers import StaticCache

    return StaticCache(config=model.config.get_text_config(decoder=True), max_cache_len=room)
