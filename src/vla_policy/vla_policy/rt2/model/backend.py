# SPDX-License-Identifier: Apache-2.0
"""One vision-language model with its own processor: prompts and pictures in, the model's inputs out.

The trap of these models is the image placeholder: a text must hold as many placeholder tokens as the image has
features, and every family counts and frames them differently. So the text gets one placeholder, by the chat template or
in front, and the model's own processor expands it.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from vla_policy.errors import CheckpointError, InstructionError, ObservationError
from vla_policy.rt2.model.loading import load_model_and_processor

_UNWANTED = ("labels",)  # PaliGemma's processor makes them, only training has a use for them
_ONLY_WHERE_NAMED = ("token_type_ids",)  # a GPT-2 behind a model that only passes them on would add them to its input


class VlmBackend:
    """An image-text-to-text model of transformers, whatever its family."""

    def __init__(self, model: Any, processor: Any) -> None:
        """Raises CheckpointError where the processor cannot tell where an image goes."""
        self.model, self.processor, self.tokenizer = model, processor, processor.tokenizer
        self.tokenizer.padding_side = "left"  # so that the prompt's last token is the last of every row
        if self.tokenizer.pad_token is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token
        self._placeholder = str(getattr(processor, "image_token", None) or "")
        if not self._placeholder and not processor.chat_template:
            raise CheckpointError(
                f"{type(processor).__name__} names no image token and has no chat template; valid is one of them"
            )
        self._accepted = set(inspect.signature(model.forward).parameters)

    @classmethod
    def load(
        cls, source: str | Path, device: str = "cpu", dtype: str = "auto", quantization: str | None = None
    ) -> VlmBackend:
        """Load from a folder or a hub id; see `load_model_and_processor` for what it raises.

        dtype: auto, float32, bfloat16, float16; quantization: none, int8, int4.
        """
        return cls(*load_model_and_processor(str(source), device, dtype, quantization))

    @property
    def family(self) -> str:
        """The model type in transformers' own words."""
        return str(self.model.config.model_type)

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return torch.device(self.model.device)

    @property
    def dtype(self) -> torch.dtype:
        """The type of its floating-point numbers."""
        dtype: torch.dtype = self.model.dtype
        return dtype

    @property
    def max_tokens(self) -> int | None:
        """How many tokens, those of the image among them, the language model can read; None where it does not say."""
        limit = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        return None if limit is None else int(limit)

    def check_words(self, text: str) -> str:
        """Return `text`. Raises InstructionError where it holds a token that steers the model (placeholders, turns)."""
        special = {str(token) for token in self.tokenizer.added_tokens_decoder.values() if token.special}
        found = sorted(token for token in {*special, self._placeholder} if token.strip() and token in text)
        if found:
            raise InstructionError(f"the text holds {', '.join(found)}, which steer the model; valid are plain words")
        return text

    def render(self, prompt: str) -> str:
        """Return the text for the processor: `prompt` with one image placeholder, as one turn where there are turns."""
        if not self.processor.chat_template:
            return self._placeholder + prompt
        parts = [{"type": "image"}, {"type": "text", "text": prompt}]
        for content in (parts, self._placeholder + prompt):
            text = self._templated(content)
            if prompt in text and (not self._placeholder or text.count(self._placeholder) == 1):
                return text
        return self._placeholder + prompt

    def _templated(self, content: object) -> str:
        """One user's turn in the chat template's words, empty where the template cannot take such a content."""
        from jinja2 import TemplateError

        try:
            turns = [{"role": "user", "content": content}]
            return str(self.processor.apply_chat_template(turns, add_generation_prompt=True, tokenize=False))
        except (TemplateError, TypeError, ValueError, KeyError):
            return ""

    def inputs(
        self, images: Sequence[NDArray[np.uint8]], prompts: Sequence[str], suffix: str = "", room: int = 1
    ) -> dict[str, Tensor]:
        """Return what the model's forward takes, on its device, for one image (H, W, 3) and one prompt a row.

        Rows are padded on the left. suffix: a token put behind each prompt (OpenVLA); room: tokens that are to follow.
        Raises ObservationError where the processor refuses an image, InstructionError where a prompt is longer than the
        model can read.
        """
        if len(images) != len(prompts) or not prompts:
            raise ObservationError(f"{len(images)} images, {len(prompts)} prompts; valid is one image for each prompt")
        texts = [self.render(prompt) for prompt in prompts]
        made = dict(self._processed(images, texts))
        self._append(made, suffix)
        self._check_length(made["input_ids"], prompts, room)
        return {name: self._placed(value) for name, value in made.items() if self._wanted(name)}

    def _processed(self, images: Sequence[NDArray[np.uint8]], texts: list[str]) -> Any:
        try:
            return self.processor(
                images=[[Image.fromarray(image)] for image in images],
                text=texts,
                return_tensors="pt",
                padding=len(texts) > 1,
                **({"add_special_tokens": False} if self._begun(texts[0]) else {}),
            )
        except (ValueError, TypeError, IndexError, KeyError, AttributeError, RuntimeError, ZeroDivisionError) as error:
            sizes = ", ".join(str(size) for size in sorted({image.shape for image in images}))
            raise ObservationError(
                f"the {self.family} processor refuses an image {sizes} with {texts[0][:80]!r}: {error}"
            ) from error

    def text_ids(self, prompt: str, suffix: str = "") -> tuple[int, ...]:
        """Token ids of a prompt as in `inputs`, with one placeholder for the image."""
        text = self.render(prompt)
        ids = self.tokenizer(text, add_special_tokens=not self._begun(text))["input_ids"]
        token = self._suffix_id(suffix)
        return tuple(ids) if token is None or ids[-1] == token else (*ids, token)

    def _begun(self, text: str) -> bool:
        """Whether a chat template wrote the token that begins a text itself."""
        return bool(self.tokenizer.bos_token) and text.startswith(self.tokenizer.bos_token)

    def _suffix_id(self, suffix: str) -> int | None:
        """None where there is no suffix or the tokenizer does not know it."""
        token = self.tokenizer.convert_tokens_to_ids(suffix) if suffix else None
        return None if token is None or token == self.tokenizer.unk_token_id else int(token)

    def _append(self, made: dict[str, Any], suffix: str) -> None:
        token = self._suffix_id(suffix)
        ids = made["input_ids"]
        if token is None or bool((ids[:, -1] == token).all()):
            return
        made["input_ids"] = torch.cat([ids, torch.full_like(ids[:, :1], token)], dim=1)
        for name in ("attention_mask", "token_type_ids", "mm_token_type_ids"):
            if name in made:
                fill = torch.full_like(made[name][:, :1], int(name == "attention_mask"))
                made[name] = torch.cat([made[name], fill], dim=1)

    def _check_length(self, ids: Tensor, prompts: Sequence[str], room: int) -> None:
        length, limit = ids.shape[1], self.max_tokens
        if limit is not None and length + room > limit:
            raise InstructionError(
                f"image and prompt are {length} tokens; valid are at most {limit - room}, for {room} are to follow: "
                f"{prompts[0][:80]!r}"
            )

    def _wanted(self, name: str) -> bool:
        return name not in _UNWANTED and (name in self._accepted or name not in _ONLY_WHERE_NAMED)

    def _placed(self, value: Tensor) -> Tensor:
        return value.to(self.device, self.dtype) if value.is_floating_point() else value.to(self.device)
