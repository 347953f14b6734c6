# SPDX-License-Identifier: Apache-2.0
"""Puts a run together: model, prompt, vocabulary, mixture, trainer and validation."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from vla_policy.rt2.backend import VlmBackend

from vla_training.errors import TrainingError
from vla_training.rt2.bases import add_lora, load_base, make_info, read_prompt, rows_of
from vla_training.rt2.collate import SharedImages
from vla_training.rt2.grounding import Grounding
from vla_training.rt2.image_text import ImageTextSource, read_image_text
from vla_training.rt2.labels import ActionLabels, action_space
from vla_training.rt2.robot_data import RobotData
from vla_training.rt2.samples import Mixture, RobotSource, SceneSource, Source, TextEncoder
from vla_training.rt2.settings import RT2Settings
from vla_training.rt2.small_vlm import PATCH
from vla_training.rt2.trainer import RT2Trainer
from vla_training.rt2.validation import HeldOut


def assemble(
    arguments: argparse.Namespace, recipe: Mapping[str, Any], data: RobotData, device: str
) -> tuple[RT2Trainer, HeldOut]:
    """Trainer and validation of `vla train rt2`'s arguments. Raises TrainingError and PolicyError."""
    settings = make_settings(arguments, recipe)
    template = read_prompt(recipe["prompt"], data.table)
    backend = load_base(arguments.base, data.image_size, device, settings.seed)
    info = make_info(backend, arguments.vocabulary, template, data, action_space(arguments.ranges, data.table))
    if arguments.freeze_vision:
        for name, parameter in backend.model.named_parameters():
            parameter.requires_grad_(parameter.requires_grad and "vision" not in name and "visual" not in name)
    if arguments.lora:
        add_lora(backend, arguments.lora)
    labels = ActionLabels(info.action_space)
    encode = TextEncoder(backend.tokenizer)
    train, held_out = rows_of(data.table, settings.validation)
    robot = RobotSource(data.table, train, template, labels, info.vocabulary, encode)
    texts: list[tuple[Source, float]] = []
    scenes = SceneSource(data.table, held_out, template, encode)  # asked also where they are not trained
    if arguments.scene_questions:
        texts.append((SceneSource(data.table, train, template, encode), 1.0))
    texts += [(ImageTextSource(read_image_text(path), template, encode), 1.0) for path in arguments.texts]
    if settings.robot_share < 1.0 and not texts:
        raise TrainingError("no image-text data: give --texts, or --robot-share 1 for robot data alone")
    mixture = Mixture(robot, texts, settings.robot_share)
    grounding = make_grounding(backend, data, settings)
    trainer = RT2Trainer(backend, info, mixture, settings, arguments.out, grounding)
    return trainer, HeldOut(data.table, held_out, robot, labels, scenes)


def make_settings(arguments: argparse.Namespace, recipe: Mapping[str, Any]) -> RT2Settings:
    """The hyperparameters."""
    names = ("steps", "images", "samples", "robot_share", "seed", "bf16", "report_every", "validate_every")
    values = {name: getattr(arguments, name) for name in names}
    values |= {name: recipe[name] for name in ("rate", "soft_bins", "grounding")}
    if arguments.base != "small":
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
