# SPDX-License-Identifier: Apache-2.0
"""Google's released RT-1 (TensorFlow) as a checkpoint of this project."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from vla_policy.errors import ConfigurationError
from vla_policy.rt1.config import RT1Config
from vla_policy.rt1.network import RT1Network

from vla_training.convert.bundle import FLOAT32, Bundle, BundleError, Entry
from vla_training.convert.google_export import export_names, is_export
from vla_training.convert.google_rt1 import IGNORED, LEARNER, NET, TOKENIZER, TRANSFORMER, Rule, rules

AGENT = "agent/_actor_network/"
SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"
NOT_THE_NETWORK = re.compile(
    r"agent/_actor_optimizer/|global_step/|save_counter/|train_step/|_CHECKPOINTABLE_OBJECT_GRAPH"
)
PICTURE = (256, 320)  # height, width [px]
SEEN = (300, 300)  # what the backbone gets, stretched
ADDED = re.compile(r"num_batches_tracked$|^tokenizer\.reduce\.bias$")  # tensors of ours that theirs lacks
Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Source:
    """A readable checkpoint: its network's variables by the names of training checkpoints."""

    bundle: Bundle
    names: Mapping[str, str]  # to those in the bundle

    @property
    def shapes(self) -> Shapes:
        """Shapes by name."""
        return {name: self.bundle.entries[stored].shape for name, stored in self.names.items()}


def find_source(folder: Path) -> Source:
    """Return the first whole checkpoint of a folder: training checkpoints, the newest first, then the export.

    Raises BundleError that says of each candidate what is wrong.
    """
    found = sorted(folder.glob("*.index"), key=_steps, reverse=True) + sorted(folder.glob("variables/*.index"))
    if not found:
        raise BundleError(f"{folder} has no checkpoint: neither *.index nor variables/*.index is there")
    wrong = []
    for index in found:
        try:
            bundle = Bundle(index.with_suffix(""))
            return Source(bundle, network_names(bundle))
        except BundleError as error:
            wrong.append(str(error))
    raise BundleError("; ".join(wrong))


def network_names(bundle: Bundle) -> dict[str, str]:
    """Return the network's variables and what each is called in the bundle.

    Raises BundleError for other numbers than float32.
    """
    names = export_names(bundle) if is_export(bundle) else _training_names(bundle.entries)
    for name, stored in names.items():
        if name not in IGNORED and bundle.entries[stored].dtype != FLOAT32:
            raise BundleError(f"{name} has TensorFlow's type {bundle.entries[stored].dtype}; valid is 1 (float32)")
    return names


def infer_config(shapes: Shapes, action_dims: int) -> RT1Config:
    """Return the configuration of a network with these variables. Raises BundleError where one is missing or odd."""
    instruction_dim, map_channels = _shape(shapes, f"{TOKENIZER}/film_layer/_projection_add/kernel", 2)
    films = [int(match[1]) for name in shapes if (match := re.fullmatch(rf"{NET}(\d+)/_projection_add/kernel", name))]
    numbers = [int(match[1]) for name in shapes if (match := re.match(rf"{NET}(\d+)/", name))]
    tokens = _shape(shapes, f"{LEARNER}/mlp/_output_layer/kernel", 2)[1]
    token_width, d_model = _shape(shapes, f"{TRANSFORMER}/_token_emb/kernel", 2)
    _, heads, key_dim = _shape(shapes, f"{TRANSFORMER}/_layers/0/mha1/_query_dense/kernel", 3)
    positions = _shape(shapes, f"{TRANSFORMER}/_position_emb/kernel", 2)[0]
    history, rest = divmod(positions, tokens + action_dims)
    if rest:
        raise BundleError(
            f"the network has {positions} positions; valid for {tokens} image tokens and {action_dims} action "
            f"dimensions is a multiple of {tokens + action_dims}"
        )
    try:
        return RT1Config(
            backbone="b3",
            image_size=SEEN,
            picture_size=PICTURE,
            backbone_blocks=len(films),
            backbone_top=max(numbers, default=0) > max(films, default=0),
            frozen_blocks=0,
            film_from_block=0,
            map_channels=map_channels,
            map_position_embedding=False,
            tokens_per_frame=tokens,
            history=history,
            fill_history=False,
            token_width=token_width,
            d_model=d_model,
            layers=sum(bool(re.fullmatch(rf"{TRANSFORMER}/_layers/\d+/ff/kernel", name)) for name in shapes),
            heads=heads,
            key_dim=key_dim,
            feed_forward=0,
            action_dims=action_dims,
            bins=_shape(shapes, f"{TRANSFORMER}/_output_tokens/kernel", 2)[1],
            instruction="vector",
            instruction_dim=instruction_dim,
            instruction_in_tokens=False,
            aux_outputs=0,
            norm_epsilon=1e-6,
        )
    except ConfigurationError as error:
        raise BundleError(f"these variables make no network: {error}") from error


def check_names(shapes: Shapes, config: RT1Config) -> None:
    """Raise BundleError for variables that are missing, or that are neither used nor known to be without effect."""
    used = {name for rule in rules(config) for name in rule.theirs}
    missing, unknown = sorted(used - set(shapes)), sorted(set(shapes) - used - set(IGNORED))
    if missing or unknown:
        raise BundleError(
            f"{len(missing)} variables are missing {missing[:3]}, {len(unknown)} are unknown {unknown[:3]}; valid are "
            f"the {len(used)} of RT-1 with {config.backbone_blocks} blocks and {config.layers} layers"
        )


def convert_network(source: Source, action_dims: int) -> RT1Network:
    """Return our network with the source's weights, in evaluation mode.

    Raises BundleError for missing or unknown variables, other shapes, wrong checksums and numbers that cannot be.
    """
    config = infer_config(source.shapes, action_dims)
    check_names(source.shapes, config)
    network = RT1Network(config, pretrained=False)
    state = network.state_dict()
    made = {rule.ours: _made(rule, source, state) for rule in rules(config)}
    added = {key: torch.zeros_like(value) for key, value in state.items() if ADDED.search(key)}
    network.load_state_dict(made | added)
    return network.eval()


def _made(rule: Rule, source: Source, state: Mapping[str, torch.Tensor]) -> torch.Tensor:
    parts = [np.asarray(source.bundle.array(source.names[name]), np.float32) for name in rule.theirs]
    try:
        value = np.ascontiguousarray(rule.make(parts), np.float32)
    except (ValueError, IndexError) as error:
        raise BundleError(f"{rule.theirs[0]} has shape {parts[0].shape}: {error}") from error
    if value.shape != state[rule.ours].shape:
        raise BundleError(
            f"{rule.theirs[0]} has shape {parts[0].shape}, which makes {value.shape}; valid for {rule.ours} is "
            f"{tuple(state[rule.ours].shape)}"
        )
    if not np.isfinite(value).all() or (rule.ours.endswith(("running_var", ".std")) and (value < 0).any()):
        raise BundleError(f"{rule.theirs[0]} holds numbers that are not finite, or a negative variance")
    return torch.from_numpy(value)


def _training_names(entries: Mapping[str, Entry]) -> dict[str, str]:
    return {name.removeprefix(AGENT).removesuffix(SUFFIX): name for name in entries if not NOT_THE_NETWORK.match(name)}


def _shape(shapes: Shapes, name: str, rank: int) -> tuple[int, ...]:
    if name not in shapes:
        raise BundleError(f"variable {name} is missing: this is no checkpoint of RT-1")
    if len(shapes[name]) != rank:
        raise BundleError(f"{name} has shape {shapes[name]}; valid are {rank} dimensions")
    return shapes[name]


def _steps(index: Path) -> tuple[int, str]:
    match = re.search(r"-(\d+)$", index.stem)
    return (int(match[1]) if match else -1, index.stem)
