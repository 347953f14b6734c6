# SPDX-License-Identifier: Apache-2.0
"""Smaller weights: int8 on the CPU with what torch has, int8 and int4 else with the packages that transformers uses."""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from typing import Any

import torch
from torch import nn

from vla_policy.errors import ConfigurationError

QUANTIZATIONS = ("none", "int8", "int4")
PACKAGES = ("bitsandbytes", "accelerate")  # for all but int8 on the CPU


def checked_quantization(name: str | None) -> str:
    """Return one of QUANTIZATIONS; None and empty are "none". Raises ConfigurationError that lists the valid ones."""
    chosen = name or "none"
    if chosen not in QUANTIZATIONS:
        raise ConfigurationError(f"quantization is {name!r}; valid are {', '.join(QUANTIZATIONS)}")
    return chosen


def after_loading(quantization: str, device: str) -> bool:
    """Whether the float model is quantised here, by `quantise_on_cpu`, and not by transformers while it is loaded."""
    return quantization == "int8" and torch.device(device).type == "cpu"


def packed_size(quantization: str, device: str, dtype: torch.dtype | None) -> tuple[torch.dtype | None, float]:
    """Return the type that weights are loaded as, and the share of its size that they take."""
    if quantization == "none" or after_loading(quantization, device):
        return dtype, 1.0
    return torch.int8, 0.5 if quantization == "int4" else 1.0


def loading_arguments(quantization: str, device: str, dtype: torch.dtype | None) -> dict[str, Any]:
    """Return what `from_pretrained` needs to quantise. Raises ConfigurationError that names the missing packages."""
    if quantization == "none" or after_loading(quantization, device):
        return {}
    missing = [package for package in PACKAGES if find_spec(package) is None]
    if missing:
        raise ConfigurationError(
            f"quantization {quantization} on {device} needs {' and '.join(missing)}: pip install {' '.join(missing)}; "
            "valid without are none, and int8 on the CPU"
        )
    from transformers import BitsAndBytesConfig

    if quantization == "int8":
        settings = BitsAndBytesConfig(load_in_8bit=True)
    else:
        settings = BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=dtype or torch.bfloat16
        )
    return {"quantization_config": settings, "device_map": {"": device}}


def quantise_on_cpu(model: Any) -> int:
    """Give the language model's linear layers int8 weights and return how many; the output head keeps its own.

    The model must be float32. Images are still read in float32: that part is small, or convolutions.
    """
    language = getattr(model.base_model, "language_model", model.base_model)
    _linear_for_conv1d(language)
    layers = {name for name, module in language.named_modules() if type(module) is nn.Linear}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch announces a successor, torchao, that is another package
        settings = dict.fromkeys(layers, torch.ao.quantization.default_dynamic_qconfig)
        quantise: Any = torch.ao.quantization.quantize_dynamic  # untyped
        quantise(language, settings, dtype=torch.qint8, inplace=True)
    return len(layers)


def _linear_for_conv1d(model: nn.Module) -> None:
    """GPT-2 keeps its weights transposed, in a layer that torch cannot quantise."""
    from transformers.pytorch_utils import Conv1D

    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, Conv1D):
                linear = nn.Linear(*child.weight.shape)
                linear.weight = nn.Parameter(child.weight.T.contiguous(), requires_grad=False)
                linear.bias = child.bias
                setattr(parent, name, linear)
