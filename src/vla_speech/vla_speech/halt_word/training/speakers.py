# SPDX-License-Identifier: Apache-2.0
"""Who speaks: the voices of the training, and those kept back from it."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vla_speech.errors import MissingSpeechError
from vla_speech.synthesis.voices import HELD_OUT, Voice, available

ACCENTS = (
    "en-us",
    "en-gb",
    "en-gb-x-rp",
    "en-gb-scotland",
    "en-gb-x-gbclan",
    "en-gb-x-gbcwmd",
    "en-us-nyc",
    "en-029",
)
_FLITE = ("slt", "rms", "kal16", "awb")
_FLITE_SHARE = 0.22
_NO_PERSON = ("whisper", "croak", "demonic", "robo", "boris", "mike2", "zac")  # in names of variants


@dataclass(frozen=True, slots=True)
class Speakers:
    """Accents and variants of espeak-ng, and voices of flite."""

    accents: Sequence[str]
    variants: Sequence[str]
    flite: Sequence[str]
    plain: bool  # whether an accent also speaks without a variant

    def draw(self, rng: np.random.Generator) -> Voice:
        """Return a voice."""
        if self.flite and rng.random() < _FLITE_SHARE:
            return Voice("flite", self.flite[int(rng.integers(len(self.flite)))])
        accent = self.accents[int(rng.integers(len(self.accents)))]
        if self.plain and rng.random() < 0.1:
            return Voice("espeak-ng", accent)
        return Voice("espeak-ng", f"{accent}+{self.variants[int(rng.integers(len(self.variants)))]}")


def load_speakers(accents: Sequence[str] = ACCENTS) -> tuple[Speakers, Speakers]:
    """Return the voices of the training and those kept back, in an order that depends on nothing but what is installed.

    Raises:
        MissingSpeechError: espeak-ng or flite is not installed, or espeak-ng lacks an accent.
    """
    absent = [engine for engine in ("espeak-ng", "flite") if not available(Voice(engine, ""))]
    if absent:
        raise MissingSpeechError(f"{' and '.join(absent)} not installed; apt-get install espeak-ng flite")
    known = _listed("--voices", 1)
    unknown = [accent for accent in accents if accent not in known]
    if unknown or not accents:
        raise MissingSpeechError(f"espeak-ng has no accent {', '.join(unknown) or '(none given)'}; valid: {known}")
    files = [name.removeprefix("!v/") for name in _listed("--voices=variant", 4) if name.startswith("!v/")]
    persons = sorted(name for name in set(files) if not any(part in name.lower() for part in _NO_PERSON))
    kept = [name for name in persons if name in HELD_OUT]
    if not kept or len(kept) == len(persons):
        raise MissingSpeechError(f"espeak-ng has no variants to keep back; found: {persons}; valid: among {HELD_OUT}")
    train = Speakers(
        accents, [n for n in persons if n not in HELD_OUT], [n for n in _FLITE if n not in HELD_OUT], plain=True
    )
    return train, Speakers(accents, kept, [n for n in _FLITE if n in HELD_OUT], plain=False)


def _listed(option: str, column: int) -> list[str]:
    done = subprocess.run(["espeak-ng", option], capture_output=True, text=True, check=True)
    rows = [line.split() for line in done.stdout.splitlines()[1:]]
    return sorted({row[column] for row in rows if len(row) > column})
