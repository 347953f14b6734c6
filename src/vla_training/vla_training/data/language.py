# SPDX-License-Identifier: Apache-2.0
"""Sentences for the tasks: what training says, and how a caller's own templates are read."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path

import yaml
from vla_sim.task.task import FAMILIES, Task, TaskError


@cache
def training_templates() -> Mapping[str, tuple[str, ...]]:
    """Family -> the wordings of training, as many for each; the first is the family's own."""
    text = (resources.files(__package__) / "templates.yaml").read_text(encoding="utf-8")
    return {family: tuple(templates) for family, templates in yaml.safe_load(text).items()}


def training_sentences(task: Task) -> tuple[str, ...]:
    """Every way in which training words this task; a quarter of them say cube instead of block."""
    sentences = [task.text(template) for template in training_templates()[task.family]]
    return tuple(text.replace(" block", " cube") if i % 4 == 3 else text for i, text in enumerate(sentences))


def load_templates(path: Path) -> dict[str, list[str]]:
    """A caller's file: a family's name -> list of templates with {object}, {target}, {side}. Raises TaskError."""
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise TaskError(f"cannot read the instructions file {path}: {error}") from error
    if not isinstance(data, dict) or not data:
        raise TaskError(f"{path} must map a family ({', '.join(FAMILIES)}) to a list of templates")
    for family, templates in data.items():
        if family not in FAMILIES:
            raise TaskError(f"{path}: unknown family {family!r}; valid: {', '.join(FAMILIES)}")
        if not isinstance(templates, list) or not templates or not all(isinstance(t, str) for t in templates):
            raise TaskError(f"{path}: {family} must be a non-empty list of strings, got {templates!r}")
        example = {"pick": "", "place": "bowl", "near": "blue block", "push": "left"}[family]
        for template in templates:
            try:
                Task(family, "red block", example).text(template)
            except AttributeError as error:
                raise TaskError(f"{path}: {family}: template {template!r}: {error}") from error
            if "{object}" not in template:
                raise TaskError(f"{path}: {family}: template {template!r} does not name {{object}}")
    return data
