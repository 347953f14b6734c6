# SPDX-License-Identifier: Apache-2.0
"""Sentences with and without the halt word."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from vla_speech.bench.corpus import read_wordings, sayings
from vla_speech.errors import missing

HALT_WORD = "stop"
TEMPLATES = Path("src/vla_training/vla_training/data/templates.yaml")  # under the root of the repository
_HALT_SHARE = 0.4  # of the sentences
_SENTENCES = Path(__file__).with_name("sentences.yaml")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence; `halt`: the halt word is in it, `final`: as its last word."""

    text: str
    halt: bool
    final: bool


@dataclass(frozen=True, slots=True)
class Sentences:
    """Draws sentences: `dictionary` words, `common` words, words `alike`, `tasks`, and the halt word among others."""

    dictionary: Sequence[str]
    common: Sequence[str]
    alike: Sequence[str]
    tasks: Sequence[str]
    before: Sequence[str]
    after: Sequence[str]
    after_task: Sequence[str]

    def draw(self, rng: np.random.Generator) -> Sentence:
        """Return a sentence, in four of ten cases with the halt word."""
        return self._with_halt(rng) if rng.random() < _HALT_SHARE else Sentence(self._without(rng), False, False)

    def _with_halt(self, rng: np.random.Generator) -> Sentence:
        kind, comma = rng.random(), _pick(rng, (" ", ", "))
        if kind < 0.3:
            return Sentence(HALT_WORD, True, True)
        if kind < 0.6:
            return Sentence(f"{_pick(rng, self.before)}{comma}{HALT_WORD}", True, True)
        if kind < 0.9:
            return Sentence(f"{HALT_WORD}{comma}{_pick(rng, self.after)}", True, False)
        return Sentence(f"{_pick(rng, self.tasks)} {_pick(rng, self.after_task)}", True, True)

    def _without(self, rng: np.random.Generator) -> str:
        kind = rng.random()
        if kind < 0.3:
            return _words(rng, self.dictionary, int(rng.integers(2, 7)))
        if kind < 0.55:
            return _words(rng, self.common, int(rng.integers(3, 10)))
        if kind < 0.8:
            pools = [self.alike if rng.random() < 0.6 else self.common for _ in range(rng.integers(1, 7))]
            return " ".join(_pick(rng, pool) for pool in pools)
        return _pick(rng, self.tasks)


def load_sentences() -> Sentences:
    """Return the sentences of the training.

    Raises:
        MissingSpeechError: pocketsphinx, whose dictionary is used, is not installed.
        SoundError: the templates of training are not there, as outside of a clone.
    """
    content: Mapping[str, Any] = yaml.safe_load(_SENTENCES.read_text(encoding="utf-8"))
    wordings = read_wordings(Path(os.environ.get("VLA_ROOT", ".")) / TEMPLATES)
    return Sentences(
        _dictionary(),
        content["common"].split(),
        content["alike"].split(),
        [saying.text for saying in sayings(wordings, seen=True)],
        content["before"],
        content["after"],
        content["after_task"],
    )


def _dictionary() -> list[str]:
    try:
        import pocketsphinx
    except ImportError as error:
        raise missing("pocketsphinx", "speech") from error
    path = Path(pocketsphinx.get_model_path("en-us")) / "cmudict-en-us.dict"
    words = (line.split()[0] for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
    return [word for word in words if word.isalpha() and HALT_WORD not in word]


def _words(rng: np.random.Generator, pool: Sequence[str], count: int) -> str:
    return " ".join(_pick(rng, pool) for _ in range(count))


def _pick(rng: np.random.Generator, pool: Sequence[str]) -> str:
    return pool[int(rng.integers(len(pool)))]
