# SPDX-License-Identifier: Apache-2.0
"""Clips: a sentence by a synthetic voice in noise, babble, tones or motors, in a room or not, as embeddings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import numpy as np

from vla_speech.errors import SoundError
from vla_speech.halt_word.spotter import HOP, Array, Embedding, embeddings_of
from vla_speech.halt_word.training.sentences import Sentences, load_sentences
from vla_speech.halt_word.training.speakers import ACCENTS, Speakers, load_speakers
from vla_speech.sound import SAMPLE_RATE, Samples, read_sound
from vla_speech.synthesis.surroundings import Sound, babble, coloured_noise, echo, mix, motors, tones
from vla_speech.synthesis.voices import Voice, speak

Speak = Callable[[Voice, str, int, int], Samples]
RATIOS_DB = (40, 30, 20, 15, 10, 10, 5)  # signal to noise
_AFTER = 0.5  # [s] of noise after the sentence
_TAIL = 0.1  # [s] for which an echo is kept after the sentence
_BABBLE = 24  # sentences that babble is made of
_RECORDED_SHARE = 0.5  # of the clips, where the site's own noise is given
_KEPT_SHARE = 0.2  # of each recording of noise, its end: for the clips that are kept back


class Part(IntEnum):
    """What a clip is for."""

    TRAIN = 0
    KEPT_CLIPS = 1  # the voices of the training
    KEPT_VOICES = 2  # other voices


@dataclass(frozen=True, slots=True)
class Clip:
    """Embeddings (n, 96) of a sound, every HOP; the sentence ends at `end` [samples]."""

    embeddings: Array
    text: str
    voice: str
    halt: bool
    final: bool
    end: int

    @property
    def seconds(self) -> float:
        """Length of the sound [s], about."""
        return (len(self.embeddings) * HOP) / SAMPLE_RATE


@dataclass(frozen=True, slots=True)
class Recipe:
    """What clips depend on, beside what is installed; `noise`: a folder of WAV files from the site, or None."""

    seed: int = 0
    accents: Sequence[str] = ACCENTS
    noise: Path | None = None


class Studio:
    """Makes clips; each depends on the recipe, its part and its number alone."""

    def __init__(
        self,
        recipe: Recipe,
        embedding: Embedding | None = None,
        sentences: Sentences | None = None,
        speakers: tuple[Speakers, Speakers] | None = None,
        say: Speak = speak,
    ) -> None:
        """Load what it needs. Raises MissingSpeechError, and SoundError for an invalid folder of noise."""
        self._recipe, self._say = recipe, say
        self._noise = site_noise(recipe.noise) if recipe.noise else []
        self._speakers = speakers or load_speakers(recipe.accents)
        self._sentences = sentences or load_sentences()
        self._embedding = embedding or Embedding()
        self._talk = self._babble_speech()

    def clip(self, part: Part, number: int) -> Clip:
        """Return a clip."""
        rng = np.random.default_rng([self._recipe.seed, part, number])
        sentence = self._sentences.draw(rng)
        voice = self._speakers[part is Part.KEPT_VOICES].draw(rng)
        speech = self._speech(rng, voice, sentence.text)
        sound, end = self._placed(rng, speech, part)
        return Clip(
            embeddings_of(self._embedding, sound), sentence.text, str(voice), sentence.halt, sentence.final, end
        )

    def _speech(self, rng: np.random.Generator, voice: Voice, text: str) -> Sound:
        speech = self._say(voice, text, int(rng.integers(120, 231)), int(rng.integers(20, 81)))
        if len(speech) == 0 or not np.any(speech):
            raise SoundError(f"voice {voice} made no sound of {text!r}")
        return speech.astype(np.float64)

    def _babble_speech(self) -> list[Samples]:
        rng = np.random.default_rng([self._recipe.seed, len(Part)])
        spoken: list[Samples] = []
        while len(spoken) < _BABBLE:
            sentence = self._sentences.draw(rng)
            if not sentence.halt:
                spoken.append(self._say(self._speakers[0].draw(rng), sentence.text, 165, 50))
        return spoken

    def _placed(self, rng: np.random.Generator, speech: Sound, part: Part) -> tuple[Samples, int]:
        """Return the sentence in its surroundings, and where it ends [samples]."""
        before = round(rng.uniform(1.0, 1.5) * SAMPLE_RATE)
        end = before + len(speech)
        padded = np.concatenate([speech, np.zeros(round(_TAIL * SAMPLE_RATE))])
        if rng.random() < 0.35:
            padded = echo(rng, padded, rng.uniform(0.1, 0.5))
        sound = np.zeros(end + round((_TAIL + _AFTER) * SAMPLE_RATE))
        sound[before : before + len(padded)] = padded
        peak = 12000.0 * 10.0 ** rng.uniform(-1.3, 0.0) * rng.choice((1, 1, 1, 4))  # four times: mostly clipped
        return mix(sound, self._surroundings(rng, len(sound), part), float(rng.choice(RATIOS_DB)), peak), end

    def _surroundings(self, rng: np.random.Generator, samples: int, part: Part) -> Sound:
        if self._noise and rng.random() < _RECORDED_SHARE:
            return _excerpt(rng, self._noise[int(rng.integers(len(self._noise)))], samples, part)
        kind = rng.random()
        if kind < 0.35:
            return coloured_noise(rng, samples, rng.uniform(0.0, 1.0))
        if kind < 0.7:
            return babble(rng, samples, self._talk)
        return tones(rng, samples) if kind < 0.85 else motors(rng, samples)


def site_noise(folder: Path) -> list[Samples]:
    """Return the recordings of a folder. Raises SoundError: none there, one silent or no WAV, or under 5 s long."""
    paths = sorted(folder.glob("*.wav"))
    if not paths:
        raise SoundError(f"{folder} holds no *.wav; valid: a folder with recordings of the site's noise")
    found = [read_sound(path) for path in paths]
    for path, sound in zip(paths, found, strict=True):
        if len(sound) < 5 * SAMPLE_RATE or not np.any(sound):
            raise SoundError(f"{path}: {len(sound) / SAMPLE_RATE:.1f} s, or silent; valid: 5 s of noise and more")
    return found


def _excerpt(rng: np.random.Generator, recording: Samples, samples: int, part: Part) -> Sound:
    border = round(len(recording) * (1.0 - _KEPT_SHARE))
    own = recording[:border] if part is Part.TRAIN else recording[border:]
    start = int(rng.integers(len(own)))
    noise = np.resize(np.roll(own, -start), samples).astype(np.float64)
    return np.asarray(noise / (noise.std() + 1e-9))
