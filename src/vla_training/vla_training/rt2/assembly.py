# SPDX-License-Identifier: Apache-2.0
"""Puts a run together: model, prompt, vocabulary, mixture, trainer and validation."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from vla_policy.rt2.decoding.decode_settings import Mode
from vla_policy.rt2.model.backend import VlmBackend
from vla_policy.rt2.model.checkpoint import INFO_FILE, RT2Info, check_vocabulary, read_info
from vla_policy.rt2.prompt import PromptTemplate
from vla_policy.rt2.vocabulary import Strategy

from vla_training.data.frames import split_by_episode
from vla_training.rt2.base.bases import (
    OF_BASE,
    SMALL,
    add_lora,
    freeze_vision,
    info_of_base,
    keep_words,
    load_base,
    make_info,
    make_vocabulary,
    read_prompt,
)
from vla_training.rt2.base.small_vlm import PATCH
from vla_training.rt2.collate import SharedImages
from vla_training.rt2.samples.grounding import Grounding
from vla_training.rt2.samples.image_text import ImageTextSource, fitting, read_image_text
from vla_training.rt2.samples.labels import ActionLabels, action_space
from vla_training.rt2.samples.robot_data import RobotData
from vla_training.rt2.samples.samples import Mixture, RobotSource, SceneSource, Source, TextEncoder
from vla_training.rt2.settings import RT2Settings
from vla_training.rt2.trainer import RT2Trainer
from vla_training.rt2.validation import HeldOut
from vla_training.run.errors import TrainingError
from vla_training.run.session import CHECKPOINT, say
from vla_training.run.train_state import STATE_FILE


def assemble(arguments: argparse.Namespace, recipe: Mapping[str, Any], data: RobotData, device: str) -> RT2Trainer:
    """Return the trainer of `vla train rt2`'s arguments. Raises TrainingError and PolicyError."""
    settings = make_settings(arguments, recipe)
    backend = load_base(arguments.base, data.image_size, device, settings.seed, bool(arguments.lora))
    info = _agreed(arguments, recipe, data, backend)
    template = info.prompt
    prepare(arguments, backend)
    labels = ActionLabels(info.action_space)
    encode = TextEncoder(backend.tokenizer)
    train, held_out = split_by_episode(data.table.episode, settings.validation)
    held_out = held_out if len(held_out) else train  # few episodes are all trained on, and validate too
    robot = RobotSource(data.table, train, template, labels, info.vocabulary, encode)
    texts: list[tuple[Source, float]] = []
    scenes = SceneSource(data.table, held_out, template, encode)  # asked also where they are not trained
    if arguments.scene_questions:
        texts.append((SceneSource(data.table, train, template, encode), 1.0))
    texts += [(on_disk(path, backend, template, encode), 1.0) for path in arguments.texts]
    if settings.robot_share < 1.0 and not texts:
        raise TrainingError("no image-text data: give --texts, or --robot-share 1 for robot data alone")
    mixture = Mixture(robot, texts, settings.robot_share)
    grounding = make_grounding(backend, data, settings)
    trainer = RT2Trainer(backend, info, mixture, settings, arguments.out, grounding)
    trainer.held_out = HeldOut(data.table, held_out, robot, labels, scenes)
    return trainer


def prepare(arguments: argparse.Namespace, backend: VlmBackend) -> None:
    """Freeze what is not trained, and add LoRA's matrices. The model has all its tokens."""
    if arguments.base == SMALL:
        keep_words(backend)
    if arguments.freeze_vision:
        freeze_vision(backend.model)
    if arguments.lora:
        add_lora(backend, arguments.lora, vision=not arguments.freeze_vision)


def _agreed(arguments: argparse.Namespace, recipe: Mapping[str, Any], data: RobotData, backend: VlmBackend) -> RT2Info:
    """What bins, tokens and prompts mean. A run that continues keeps its own, whatever data are added.

    Raises TrainingError where its tokens have become others.
    """
    info = _made(arguments, recipe, data, backend, info_of_base(arguments.base))
    folder: Path = arguments.out
    if not (folder / STATE_FILE).exists() or not (folder / CHECKPOINT / INFO_FILE).exists():
        return info
    before = read_info(folder / CHECKPOINT)
    if before.vocabulary != info.vocabulary:
        raise TrainingError(f"{folder} holds a run with other action tokens; --fresh replaces it")
    return replace(info, action_space=before.action_space, prompt=before.prompt)


def _made(
    arguments: argparse.Namespace, recipe: Mapping[str, Any], data: RobotData, backend: VlmBackend, base: RT2Info | None
) -> RT2Info:
    """What bins, tokens and prompts mean at the beginning. A base that is an RT-2 checkpoint keeps what it has learnt,
    but for what the command line asks for.
    """
    kept: list[str] = []
    if base is not None and recipe["prompt"] == OF_BASE:
        template = base.prompt
        kept.append("prompt")
    else:
        template = read_prompt(recipe["prompt"], data.table)
    if base is not None and arguments.ranges == "fixed":
        space = base.action_space
        kept.append("ranges")
    else:
        space = action_space(arguments.ranges, data.table)
    if base is not None and arguments.vocabulary == "auto":
        vocabulary = base.vocabulary
        check_vocabulary(backend, vocabulary, arguments.base)
        kept.append("action tokens")
    else:
        vocabulary = make_vocabulary(backend, arguments.vocabulary, space.bins)
    if kept:
        say(f"{arguments.base} is an RT-2 checkpoint: its {', '.join(kept)} stay")
    before = base.decode if base is not None else Mode.GREEDY.value
    decode = Mode.MEDIAN.value if recipe["soft_bins"] else before  # spread targets have no sharp best guess
    info = make_info(vocabulary, template, data, space)
    return replace(info, control={**info.control, "decode": decode})


def on_disk(path: Path, backend: VlmBackend, template: PromptTemplate, encode: TextEncoder) -> ImageTextSource:
    """An image-text set, without what the model cannot read. Raises TrainingError where nothing is left."""
    items, left_out = fitting(read_image_text(path), backend, template, encode)
    if left_out:
        say(f"{path}: {left_out} texts are too long for the model or hold its control tokens, and are left out")
    if not items:
        raise TrainingError(f"{path}: no text of it can be read by the model, which takes {backend.max_tokens} tokens")
    return ImageTextSource(items, template, encode)


def make_settings(arguments: argparse.Namespace, recipe: Mapping[str, Any]) -> RT2Settings:
    """The hyperparameters. Raises TrainingError for arguments that contradict each other."""
    if arguments.lora and arguments.vocabulary == Strategy.NEW.value:
        raise TrainingError("--vocabulary new and --lora: new tokens would never be trained; valid are the others")
    names = ("steps", "images", "samples", "robot_share", "seed", "bf16", "report_every", "validate_every")
    values = {name: getattr(arguments, name) for name in names}
    values |= {name: recipe[name] for name in ("rate", "soft_bins", "read_back", "grounding")}
    if arguments.base != SMALL:
        values["vision_rate"] = recipe["rate"]
    return RT2Settings(**values, ema=0.0 if arguments.lora else arguments.ema)


def make_grounding(backend: VlmBackend, data: RobotData, settings: RT2Settings) -> Grounding | None:
    """The attention loss, where it is wanted. Raises TrainingError for a model whose image tokens lie elsewhere."""
    if settings.grounding == 0.0:
        return None
    if backend.family != "fast_vlm":
        raise TrainingError(f"--grounding needs image tokens on one grid of the picture; {backend.family} has others")
    height, width = data.image_size
    first = SharedImages(backend).first_image_token
    return Grounding(data.robot, data.image_size, (height // PATCH, width // PATCH), first, backend.tokenizer)
