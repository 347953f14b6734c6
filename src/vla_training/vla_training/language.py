# SPDX-License-Identifier: Apache-2.0
"""Sentences for the tasks: what training says, and how a caller's own templates are read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import yaml
from vla_sim.task import FAMILIES, TEMPLATES, Task, TaskError

TRAINING_TEMPLATES: Mapping[str, tuple[str, ...]] = {
    "pick": (
        TEMPLATES["pick"],
        "pick the {object} up",
        "lift the {object}",
        "grab the {object}",
        "take the {object}",
        "grasp the {object} and lift it",
        "raise the {object} off the table",
        "please pick up the {object}",
        "get the {object}",
        "pick up {object}",
        "lift up the {object} from the table",
        "hold the {object} in the air",
    ),
    "place": (
        TEMPLATES["place"],
        "place the {object} in the {target}",
        "drop the {object} into the {target}",
        "put the {object} into the {target}",
        "move the {object} into the {target}",
        "the {object} goes in the {target}",
        "pick up the {object} and put it in the {target}",
        "please put the {object} inside the {target}",
        "set the {object} in the {target}",
        "bring the {object} to the {target}",
        "store the {object} in the {target}",
        "put {object} in {target}",
    ),
    "near": (
        TEMPLATES["near"],
        "put the {object} next to the {target}",
        "place the {object} beside the {target}",
        "move the {object} near the {target}",
        "bring the {object} close to the {target}",
        "set the {object} down near the {target}",
        "move the {object} beside the {target}",
        "please put the {object} close to the {target}",
        "pick up the {object} and place it next to the {target}",
        "carry the {object} over to the {target}",
        "put the {object} near the {target}",
        "move {object} next to {target}",
    ),
    "push": (
        TEMPLATES["push"],
        "push the {object} {side}",
        "slide the {object} to the {side}",
        "shove the {object} to the {side}",
        "move the {object} to the {side}",
        "push the {object} towards the {side}",
        "please push the {object} to the {side} side",
        "slide the {object} {side}",
        "nudge the {object} to the {side}",
        "push the {object} over to the {side}",
        "use the hand to push the {object} {side}",
        "shift the {object} to the {side}",
    ),
}


def training_sentences(task: Task) -> tuple[str, ...]:
    """Every way in which training words this task; half of them say cube instead of block."""
    sentences = [task.text(template) for template in TRAINING_TEMPLATES[task.family]]
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
            Task(family, "red block", example).text(template)
            if "{object}" not in template:
                raise TaskError(f"{path}: {family}: template {template!r} does not name {{object}}")
    return data
