# SPDX-License-Identifier: Apache-2.0
"""The state of an interrupted training as one safetensors file (no pickle), replaced atomically."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from vla_core.files import replacing

from vla_training.run.errors import TrainingError

STATE_FILE = "state.safetensors"


def save_state(
    folder: Path, step: int, network: nn.Module, average: nn.Module, optimiser: torch.optim.Optimizer
) -> None:
    """Write network, averaged network, optimiser moments and step count."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors: dict[str, Tensor] = {}
    for prefix, module in (("network", network), ("average", average)):
        tensors |= {
            f"{prefix}/{name}": value.detach().clone().contiguous() for name, value in module.state_dict().items()
        }
    for index, state in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser/{index}/{key}": value.clone().contiguous() for key, value in state.items()}
    with replacing(folder / STATE_FILE) as temporary:
        save_file(tensors, temporary, metadata={"step": str(step)})


def load_state(folder: Path, network: nn.Module, average: nn.Module, optimiser: torch.optim.Optimizer) -> int | None:
    """Restore what `save_state` wrote; returns the step, or None when there is nothing to resume.

    Raises TrainingError for a damaged file or one of another network.
    """
    path = folder / STATE_FILE
    if not path.exists():
        return None
    try:
        with safe_open(path, "pt") as file:
            step = int(file.metadata()["step"])
        tensors = load_file(path)
        _restore(tensors, network, average, optimiser)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise TrainingError(f"{path} is damaged or of another network, --fresh starts again: {error}") from error
    return step


def _restore(
    tensors: Mapping[str, Tensor], network: nn.Module, average: nn.Module, optimiser: torch.optim.Optimizer
) -> None:
    for prefix, module in (("network", network), ("average", average)):
        module.load_state_dict(
            {k.removeprefix(f"{prefix}/"): v for k, v in tensors.items() if k.startswith(f"{prefix}/")}
        )
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith("optimiser/"):
            _, index, name = key.split("/")
            state.setdefault(int(index), {})[name] = value
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
