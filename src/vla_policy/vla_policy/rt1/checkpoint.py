# SPDX-License-Identifier: Apache-2.0
"""RT-1 checkpoints: a folder with model.safetensors and config.json. Nothing is ever unpickled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from vla_core.files import replacing, write_text

from vla_policy.action.space import ActionSpace
from vla_policy.action.steps import check_space
from vla_policy.errors import ActionSpaceError, CheckpointError
from vla_policy.mapping.token_actions import ACTIONS
from vla_policy.rt1.config import ConfigError, RT1Config
from vla_policy.rt1.network import RT1Network

__all__ = [
    "Checkpoint",
    "CheckpointError",
    "CheckpointInfo",
    "find_checkpoint",
    "load_checkpoint",
    "read_info",
    "save_checkpoint",
    "space_of",
]

SHIPPED = Path(__file__).resolve().parent / "weights"
WEIGHTS_FILE = "model.safetensors"
CONFIG_FILE = "config.json"
FORMAT = "vla-rt1-1"
_KEYS = {"format": str, "network": dict, "action_space": dict, "robot": str, "control": dict}


@dataclass(frozen=True, slots=True)
class CheckpointInfo:
    """What a checkpoint was trained for."""

    network: RT1Config
    action_space: Mapping[str, Any]  # ActionSpace as JSON
    robot: str
    control: Mapping[str, Any] = field(default_factory=dict)  # free: period_s, training figures


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A loaded checkpoint; the network is in evaluation mode."""

    network: RT1Network
    info: CheckpointInfo


def save_checkpoint(
    folder: Path,
    network: RT1Network,
    action_space: Mapping[str, Any],
    robot: str,
    control: Mapping[str, Any] | None = None,
) -> None:
    """Write the folder; each file is replaced atomically, so an interruption leaves the earlier one whole.

    The used part of the backbone is inside; the sentence encoder is not (it comes from its wheel).
    """
    folder.mkdir(parents=True, exist_ok=True)
    text = (
        json.dumps(
            {
                "format": FORMAT,
                "network": network.config.to_json(),
                "action_space": dict(action_space),
                "robot": robot,
                "control": dict(control or {}),
            },
            indent=2,
        )
        + "\n"
    )
    weights = {key: value.detach().cpu().contiguous() for key, value in network.state_dict().items()}
    with replacing(folder / WEIGHTS_FILE) as temporary:
        temporary.write_bytes(save(weights, metadata={"format": FORMAT}))
    write_text(folder / CONFIG_FILE, text)


def read_info(folder: Path) -> CheckpointInfo:
    """config.json alone, without the weights. Raises CheckpointError."""
    path = folder / CONFIG_FILE
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CheckpointError(f"no checkpoint at {folder}: {CONFIG_FILE} is missing") from error
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} is unreadable or truncated: {error}") from error
    if not isinstance(data, dict):
        raise CheckpointError(f"{path} holds {type(data).__name__}, not an object")
    for key, kind in _KEYS.items():
        if not isinstance(data.get(key), kind):
            raise CheckpointError(f"{path}: key {key!r} is missing or not {kind.__name__}")
    if data["format"] != FORMAT:
        raise CheckpointError(f"{path}: format {data['format']!r}; this version reads {FORMAT!r}")
    try:
        network = RT1Config.from_json(data["network"])
    except ConfigError as error:
        raise CheckpointError(f"{path}: {error}") from error
    return CheckpointInfo(network, data["action_space"], data["robot"], data["control"])


def load_checkpoint(
    folder: Path, robot: str | None = None, action_space: Mapping[str, Any] | None = None
) -> Checkpoint:
    """The network of a folder, checked against the caller's robot and action space where given.

    Raises CheckpointError when a file is missing or truncated, when weights do not fit the configuration or are not
    finite, and for another robot or action space.
    """
    info = read_info(folder)
    if robot is not None and robot != info.robot:
        raise CheckpointError(f"{folder} was trained for robot {info.robot!r}, not for {robot!r}")
    if action_space is not None and dict(action_space) != info.action_space:
        raise CheckpointError(f"{folder} has another action space: {_difference(info.action_space, action_space)}")
    network = RT1Network(info.network, pretrained=False)
    weights = _read_weights(folder / WEIGHTS_FILE)
    _check_weights(folder / WEIGHTS_FILE, network.state_dict(), weights)
    network.load_state_dict(weights)
    return Checkpoint(network.eval(), info)


def _read_weights(path: Path) -> dict[str, torch.Tensor]:
    if not path.is_file():
        raise CheckpointError(f"no checkpoint at {path.parent}: {path.name} is missing")
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is truncated or no safetensors file: {error}") from error


def _check_weights(path: Path, wanted: Mapping[str, torch.Tensor], found: Mapping[str, torch.Tensor]) -> None:
    missing, extra = sorted(set(wanted) - set(found)), sorted(set(found) - set(wanted))
    if missing or extra:
        raise CheckpointError(
            f"{path} does not fit its configuration: {len(missing)} weights missing {missing[:3]}, "
            f"{len(extra)} unknown {extra[:3]}"
        )
    for key, value in found.items():
        if value.shape != wanted[key].shape:
            raise CheckpointError(
                f"{path}: {key} is {tuple(value.shape)}, the configuration needs {tuple(wanted[key].shape)}"
            )
        if not bool(torch.isfinite(value).all()):
            raise CheckpointError(f"{path}: {key} holds numbers that are not finite")


def _difference(has: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    keys = [key for key in sorted({*has, *wanted}) if has.get(key) != wanted.get(key)]
    return "; ".join(f"{key}: the checkpoint has {has.get(key)!r}, asked for {wanted.get(key)!r}" for key in keys)[:600]


def space_of(checkpoint: Checkpoint) -> ActionSpace:
    """Return the action space of a checkpoint. Raises CheckpointError where it is not valid or not the network's."""
    try:
        space = ActionSpace.from_dict(checkpoint.info.action_space)
        space = space if ACTIONS in checkpoint.info.control else check_space(space)  # else a map tells the motion
    except ActionSpaceError as error:
        raise CheckpointError(f"the checkpoint's action space is not valid: {error}") from error
    network = checkpoint.info.network
    if (len(space.dimensions), space.bins) != (network.action_dims, network.bins):
        raise CheckpointError(
            f"action space {space.name} has {len(space.dimensions)} dimensions of {space.bins} bins; "
            f"the network has {network.action_dims} of {network.bins}"
        )
    return space


def find_checkpoint(name: str, robot: str) -> Path:
    """A folder, the name of a shipped checkpoint, or for an empty name the one shipped for `robot`.

    Raises CheckpointError that lists the shipped ones.
    """
    wanted = name or f"lite_{robot or 'fr3'}"
    for folder in (Path(wanted).expanduser(), SHIPPED / wanted):
        if (folder / CONFIG_FILE).is_file():
            return folder
    shipped = sorted(path.parent.name for path in SHIPPED.glob(f"*/{CONFIG_FILE}"))
    raise CheckpointError(
        f"no RT-1 checkpoint {wanted!r}: neither a folder with {CONFIG_FILE} nor a shipped one; "
        f"shipped are {', '.join(shipped) or 'none'}"
    )
