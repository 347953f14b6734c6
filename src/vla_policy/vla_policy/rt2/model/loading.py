# SPDX-License-Identifier: Apache-2.0
"""Loads a vision-language model and its processor with transformers, and says why where that cannot be.

No code from a checkpoint is ever run and nothing is unpickled: `trust_remote_code` stays off, weights are safetensors.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from vla_policy.devices import chosen_device
from vla_policy.errors import CheckpointError, ConfigurationError
from vla_policy.rt2.decoding.memory import GIB, available_bytes, check_memory
from vla_policy.rt2.model.processors import load_processor
from vla_policy.rt2.model.quantization import (
    after_loading,
    checked_quantization,
    loading_arguments,
    packed_size,
    quantise_on_cpu,
)

DTYPES = {"auto": None, "float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
CONFIG, WEIGHTS, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
ADAPTER = "adapter_config.json"
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.pickle")
_FAILURES = (
    *(OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError, ImportError, MemoryError),
    SafetensorError,
)


def chosen_dtype(name: str) -> torch.dtype | None:
    """Return the type of the weights, None for as stored. Raises ConfigurationError that lists the valid names."""
    if name not in DTYPES:
        raise ConfigurationError(f"dtype is {name!r}; valid are {', '.join(DTYPES)}")
    return DTYPES[name]


def load_model_and_processor(
    source: str, device: str = "cpu", dtype: str = "auto", quantization: str | None = None
) -> tuple[Any, Any]:
    """Return a model in evaluation mode on `device`, and its processor.

    source: a folder or a hub id. Raises CheckpointError (no vision-language model, pickled, damaged, incomplete, not
    finite, too large for the memory) and ConfigurationError (a setting, a missing package).
    """
    kind, wanted, place = checked_quantization(quantization), chosen_dtype(dtype), chosen_device(device)
    config = model_config(source)
    if after_loading(kind, place):
        wanted = torch.float32
    arguments = loading_arguments(kind, place, wanted)
    stored, share = packed_size(kind, place, wanted or _saved_dtype(config))
    files = _weight_files(source, place, 8 if arguments else 2)
    _check_no_adapter(source)
    for memory in dict.fromkeys((place,) if arguments else ("cpu", place)):  # they come through the machine's own
        check_memory(files, stored, memory, share=share)
    model = _loaded(source, config, {"dtype": wanted or "auto", **arguments})
    if after_loading(kind, place):
        quantise_on_cpu(model)
    if not arguments:
        model = _moved(model, place, source)
    return model.eval().requires_grad_(False), _processor(source, config)


def _check_no_adapter(source: str) -> None:
    """Raise CheckpointError for an adapter beside the weights, which from_pretrained would add without a word.

    Where the weights are merged already (what `merge_and_unload` leaves), the adapter would count twice.
    """
    if stored_file(source, ADAPTER) is not None:
        raise CheckpointError(
            f"{source} holds an adapter ({ADAPTER}) beside the model's weights, which may contain it already; valid is "
            "a merged model alone: remove the adapter's files, or merge it (peft's merge_and_unload) and save that"
        )


def _saved_dtype(config: Any) -> torch.dtype | None:
    """What transformers makes of dtype auto: the configuration's, before that of the files."""
    dtype = getattr(config, "dtype", None)
    return dtype if isinstance(dtype, torch.dtype) else None


def _moved(model: Any, device: str, source: str) -> Any:
    try:
        return model.to(device)
    except (RuntimeError, MemoryError) as error:
        raise CheckpointError(f"{source} cannot be moved to {device}: {_first_line(error)}") from error


def model_config(source: str) -> Any:
    """Return the configuration of a vision-language model. Raises CheckpointError for anything else."""
    from transformers import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING, AutoConfig

    if Path(source).is_dir() and not (Path(source) / CONFIG).is_file():
        raise CheckpointError(f"no model in {source}: {CONFIG} is missing; valid is what save_pretrained writes")
    try:
        config = AutoConfig.from_pretrained(source, trust_remote_code=False)
    except _FAILURES as error:
        if "trust_remote_code" in str(error):
            raise CheckpointError(
                f"{source} brings its own Python code, which is never run here; valid are models that transformers "
                "itself implements"
            ) from error
        raise CheckpointError(f"no model at {source}: {_first_line(error)}") from error
    if type(config) not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING:
        raise CheckpointError(
            f"{source} is a {config.model_type} model, no vision-language model; valid are the image-text-to-text "
            "models of transformers: paligemma, smolvlm, idefics3, qwen2_5_vl, llava, fast_vlm and others"
        )
    return config


def stored_file(source: str, name: str) -> Path | None:
    """Return a file of a folder or, downloaded if need be, of a hub id; None where it has none.

    Raises CheckpointError where the hub cannot be reached and the file is not in its cache.
    """
    from transformers.utils import cached_file

    if Path(source).is_dir():
        return Path(source) / name if (Path(source) / name).is_file() else None
    try:
        found = cached_file(source, name, _raise_exceptions_for_missing_entries=False)
    except _FAILURES as error:
        raise CheckpointError(f"{name} of {source} cannot be had: {_first_line(error)}") from error
    return None if found is None else Path(found)


def _weight_files(source: str, device: str, shrink: int) -> list[Path]:
    """The safetensors files; those of an index on the hub only once they could fit, `shrink` times smaller at best."""
    index = stored_file(source, INDEX)
    if index is None:
        single = stored_file(source, WEIGHTS)
        if single is None:
            raise CheckpointError(_without_weights(source))
        return [single]
    try:
        data = json.loads(index.read_text(encoding="utf-8"))
        names, size = sorted(set(data["weight_map"].values())), int(data["metadata"]["total_size"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{index} is unreadable or truncated: {error}") from error
    if size > shrink * available_bytes(device):
        raise CheckpointError(
            f"memory too small: the weights of {source} take {size / GIB:.1f} GiB, {device} has "
            f"{available_bytes(device) / GIB:.1f} GiB free; valid is a smaller model or another device"
        )
    files = [stored_file(source, name) for name in names]
    if None in files:
        raise CheckpointError(f"{source} is incomplete: of {', '.join(names)} some are missing")
    return [file for file in files if file is not None]


def _without_weights(source: str) -> str:
    pickled = sorted(path.name for pattern in PICKLES for path in Path(source).glob(pattern))
    if pickled:
        return (
            f"{source} holds pickled weights ({', '.join(pickled)}), which can run code when they are read; valid is "
            f"{WEIGHTS}: save the model with transformers' save_pretrained once"
        )
    return f"{source} has no {WEIGHTS}; valid is what save_pretrained of transformers writes"


def _loaded(source: str, config: Any, arguments: dict[str, Any]) -> Any:
    from transformers import AutoModelForImageTextToText
    from transformers.utils import logging

    logging.disable_progress_bar()
    loud = logging.get_verbosity()
    logging.set_verbosity_error()  # what it would warn of is refused below
    try:
        model, report = AutoModelForImageTextToText.from_pretrained(
            source,
            config=config,
            use_safetensors=True,
            trust_remote_code=False,
            ignore_mismatched_sizes=True,  # they are in the report, and refused below with their names
            output_loading_info=True,
            **arguments,
        )
    except _FAILURES as error:
        raise CheckpointError(f"the weights of {source} cannot be loaded: {_first_line(error)}") from error
    finally:
        logging.set_verbosity(loud)
    for what in ("missing", "mismatched"):
        keys = sorted(str(key) for key in report[f"{what}_keys"])
        if keys:
            raise CheckpointError(f"the weights of {source} do not fit its {CONFIG}: {what} are {', '.join(keys[:4])}")
    for name, value in model.named_parameters():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise CheckpointError(f"{source}: {name} holds numbers that are not finite")
    return model


def _processor(source: str, config: Any) -> Any:
    try:
        processor = load_processor(source, config)
    except _FAILURES as error:
        raise CheckpointError(f"the processor of {source} cannot be loaded: {_first_line(error)}") from error
    for part in ("tokenizer", "image_processor"):
        if getattr(processor, part, None) is None:
            raise CheckpointError(
                f"{source} has a {type(processor).__name__} without {part}; valid is the model's own processor, saved "
                "beside it with save_pretrained"
            )
    return processor


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
