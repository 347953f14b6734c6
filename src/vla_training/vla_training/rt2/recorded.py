# SPDX-License-Identifier: Apache-2.0
"""Puts a run of RT-2 on recorded actions together: model, prompt, vocabulary, mixture, trainer and validation."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from vla_core.files import write_text
from vla_core.observation_map.presets import MAP_FILE
from vla_policy.action.space import ActionSpace
from vla_policy.rt2.decoding.decode_settings import Mode
from vla_policy.rt2.model.backend import VlmBackend
from vla_policy.rt2.model.checkpoint import INFO_FILE, RT2Info, check_vocabulary, find_checkpoint, read_info
from vla_policy.rt2.model.loading import stored_file
from vla_policy.rt2.prompt import PromptTemplate
from vla_policy.rt2.vocabulary import ActionVocabulary

from vla_training.data.frames import split_by_episode
from vla_training.data.recorded.loading import RecordedData
from vla_training.data.recorded.table import RecordedTable
from vla_training.rt1.feature_cache import JoinedRows
from vla_training.rt2.assembly import make_settings, on_disk, prepare
from vla_training.rt2.base.bases import OF_BASE, SMALL, load_base, make_vocabulary, read_prompt, state_prompt
from vla_training.rt2.base.small_vlm import PATCH
from vla_training.rt2.samples.recorded import RecordedHeldOut, RecordedSource
from vla_training.rt2.samples.samples import Mixture, TextEncoder
from vla_training.rt2.trainer import RT2Trainer
from vla_training.run.errors import TrainingError
from vla_training.run.session import CHECKPOINT, say
from vla_training.run.train_state import STATE_FILE

MARGIN = 0.05  # of the state's range, on either side
STILL = 1e-3  # half of the range of a state that never changes


def assemble_recorded(
    arguments: argparse.Namespace, recipe: Mapping[str, Any], data: RecordedData, device: str
) -> RT2Trainer:
    """Return the trainer of `vla train rt2`'s arguments on recorded actions. Raises TrainingError and PolicyError."""
    settings = replace(make_settings(arguments, recipe), grounding=0.0, samples=1)
    table = data.table
    if arguments.grounding:
        raise TrainingError("--grounding needs the simulator's truth; valid with recorded actions is 0")
    if arguments.base == SMALL and any(pixels % PATCH for pixels in data.size):
        raise TrainingError(f"pictures are {data.size} (height, width); the small model takes multiples of {PATCH}")
    backend = load_base(arguments.base, data.size, device, settings.seed, bool(arguments.lora), table.texts)
    info = _agreed(arguments, recipe, data, backend)
    prepare(arguments, backend)
    encode = TextEncoder(backend.tokenizer)
    train, held_out = split_by_episode(table.episode, settings.validation)
    pictures = JoinedRows(data.rows(arguments.out, np.asarray, np.uint8, "pictures", say), None)
    source = RecordedSource(table, train, pictures, info.prompt, info.vocabulary, encode)
    texts = [(on_disk(path, backend, info.prompt, encode), 1.0) for path in arguments.texts]
    mixture = Mixture(source, texts, settings.robot_share if texts else 1.0)
    softened = tuple(name for name, hard in zip(table.space.names, table.hard, strict=True) if not hard)
    trainer = RecordedRT2Trainer(backend, info, mixture, settings, arguments.out, softened=softened)
    trainer.map_text = data.map_text()
    trainer.held_out = RecordedHeldOut(table, held_out if len(held_out) else train, source)
    return trainer


class RecordedRT2Trainer(RT2Trainer):
    """Leaves the map that says what the columns are beside the weights."""

    map_text = ""

    def export(self, folder: Path) -> None:
        """Write the averaged model as a checkpoint that the policy loads, with its map."""
        super().export(folder)
        if self.map_text:
            write_text(folder / MAP_FILE, self.map_text)


def space_before(arguments: argparse.Namespace) -> ActionSpace | None:
    """Return the action space of the run that continues; None where none does."""
    before = _before(arguments)
    return before.action_space if before is not None else None


def _before(arguments: argparse.Namespace) -> RT2Info | None:
    folder: Path = arguments.out
    there = (folder / STATE_FILE).exists() and (folder / CHECKPOINT / INFO_FILE).exists()
    return read_info(folder / CHECKPOINT) if there and not arguments.fresh else None


def _agreed(
    arguments: argparse.Namespace, recipe: Mapping[str, Any], data: RecordedData, backend: VlmBackend
) -> RT2Info:
    """What bins, tokens and prompts mean; a run that continues keeps its own."""
    before, table = _before(arguments), data.table
    vocabulary = _vocabulary(arguments, backend, table)
    if before is not None and before.vocabulary != vocabulary:
        raise TrainingError(f"{arguments.out} holds a run with other action tokens; --fresh replaces it")
    template = before.prompt if before is not None else _prompt(recipe["prompt"], table)
    told = template.state.names if template.state is not None else ()
    if told not in ((), table.channels):
        raise TrainingError(
            f"prompt {template.name} tells the state {', '.join(told)}; these data have {', '.join(table.channels)}: "
            f"valid is --prompt {SMALL}, or one without a state"
        )
    control = data.control() | {"image_size": list(data.size), "frames": len(table)}
    control["decode"] = Mode.MEDIAN.value if recipe["soft_bins"] else Mode.GREEDY.value
    return RT2Info(table.space, vocabulary, template, table.robot, control)


def _vocabulary(arguments: argparse.Namespace, backend: VlmBackend, table: RecordedTable) -> ActionVocabulary:
    """The tokens of a base that is an RT-2 checkpoint already, unless others are asked for."""
    bins = table.space.bins
    path = None if arguments.base == SMALL else stored_file(find_checkpoint(arguments.base, ""), INFO_FILE)
    if path is None or arguments.vocabulary != "auto":
        return make_vocabulary(backend, arguments.vocabulary, bins)
    vocabulary = read_info(path.parent).vocabulary
    if vocabulary.bins != bins:
        return make_vocabulary(backend, "auto", bins)
    check_vocabulary(backend, vocabulary, arguments.base)
    return vocabulary


def _prompt(name: str, table: RecordedTable) -> PromptTemplate:
    if name not in (SMALL, OF_BASE) or not table.channels:
        return read_prompt("rt2" if name in (SMALL, OF_BASE) else name)
    low, high = np.quantile(table.state, [0.005, 0.995], axis=0)
    margin = np.maximum(MARGIN * (high - low), STILL)
    return state_prompt(table.channels, low - margin, high + margin)
