# SPDX-License-Identifier: Apache-2.0
"""What is said in the benchmark: instructions in seen and unseen wordings, stops, and speech meant for others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from vla_speech.errors import SoundError

COLOURS = ("red", "green", "blue", "yellow", "purple")
STOPS = ("stop", "no, stop", "robot, stop", "please stop", "hey robot, stop", "oh no stop")  # each ends with the word
OTHER = (
    "the weather is nice today, and we could go outside for lunch",
    "have you seen the new film about the sea and the old lighthouse",
    "i left my keys on the shelf next to the door this morning",
    "she said that the meeting starts at half past two",
    "we need more coffee, and somebody should call the plumber",
    "the shop at the top of the hill sells hot chocolate",
    "he took a step back and dropped his glass on the floor",
    "the stock market went up, and then it went down again",
    "start the car and wait for me at the corner of the street",
    "it was a story about a stork that lived on a rooftop",
    "could you pass me the salt and the bread, please",
    "this block of flats was painted blue and yellow last year",
)


@dataclass(frozen=True, slots=True)
class Task:
    """What an instruction asks for, whatever its words."""

    family: str
    object: str
    target: str  # block, bowl, side or nothing


@dataclass(frozen=True, slots=True)
class Saying:
    """An instruction in one wording."""

    text: str
    task: Task
    seen: bool


def read_wordings(path: Path) -> dict[str, list[str]]:
    """Return family -> wordings with {object}, {target} and {side}. Raises SoundError for a file of another form."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return {str(family): [str(wording) for wording in wordings] for family, wordings in content.items()}
    except (OSError, UnicodeDecodeError, yaml.YAMLError, AttributeError, TypeError) as error:
        raise SoundError(f"wordings {path}: {error}; valid: a YAML file of families with lists of sentences") from error


def sayings(wordings: Mapping[str, Sequence[str]], seen: bool) -> list[Saying]:
    """Return every wording with every object and target."""
    found = []
    for family, sentences in wordings.items():
        for task in _tasks(family):
            for sentence in sentences:
                text = sentence.format(object=task.object, target=task.target, side=task.target)
                found.append(Saying(text, task, seen))
    return found


def choose(seen: Sequence[Saying], unseen: Sequence[Saying], count: int, rng: np.random.Generator) -> list[Saying]:
    """Return `count` sayings, three quarters of them seen."""
    pools = [unseen if index % 4 == 3 else seen for index in range(count)]
    return [pool[int(rng.integers(len(pool)))] for pool in pools]


def _tasks(family: str) -> list[Task]:
    blocks = [f"{colour} block" for colour in COLOURS]
    targets = {"pick": [""], "place": ["bowl"], "near": blocks, "push": ["left", "right"]}[family]
    return [Task(family, block, target) for block in blocks for target in targets if target != block]
