# SPDX-License-Identifier: Apache-2.0
"""A model's own processor, loaded without the part for videos, which would need torchvision: a robot sends pictures."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

VIDEO = "video_processor"


def image_only(processor_class: Any) -> Any:
    """Return a subclass of a transformers processor class that has, loads and saves no video processor."""

    class ImageOnly(processor_class):  # type: ignore[misc]
        video_processor = SimpleNamespace(num_frames=None, fps=None)  # SmolVLM's chat template asks for these

        @classmethod
        def get_attributes(cls) -> list[str]:
            return [name for name in super().get_attributes() if name != VIDEO]

        @classmethod
        def from_args_and_dict(cls, args: Any, processor_dict: dict[str, Any], **kwargs: Any) -> Any:
            return super().from_args_and_dict(args, {**processor_dict, VIDEO: None}, **kwargs)

    ImageOnly.__name__ = processor_class.__name__  # what is saved must be loadable under the class's own name
    return ImageOnly


def load_processor(source: str, config: Any) -> Any:
    """Return the processor that belongs to a model's configuration. Raises what transformers raises."""
    from transformers import PROCESSOR_MAPPING, AutoProcessor

    known = PROCESSOR_MAPPING.get(type(config), None)
    if known is not None and VIDEO in known.get_attributes():
        return image_only(known).from_pretrained(source)
    return AutoProcessor.from_pretrained(source, trust_remote_code=False)
