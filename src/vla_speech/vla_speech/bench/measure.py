# SPDX-License-Identifier: Apache-2.0
"""Measurements of the benchmark, each a function of settings, voices and a seed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vla_speech.bench.corpus import OTHER, STOPS, Saying, Task
from vla_speech.ear import Halt, new_ear
from vla_speech.heard import Heard, State
from vla_speech.listener import Listener
from vla_speech.recognition.grammar import spoken_words
from vla_speech.settings import HearingSettings
from vla_speech.sound import SAMPLE_RATE, Samples
from vla_speech.synthesis.surroundings import babble, coloured_noise, echo, mix, motors, tones
from vla_speech.synthesis.voices import HELD_OUT, Voice, speak

CONDITIONS: Mapping[str, float] = {"clean": 40.0, "db20": 20.0, "db10": 10.0, "echo": 40.0}  # [dB]
ECHO = 0.4  # [s]
_BEFORE, _AFTER = 1.0, 1.2  # [s] around what is said
_PIECE = 640  # [samples]
_QUIET = 20.0  # peak of an idle room's noise, of int16


@dataclass(frozen=True, slots=True)
class Trial:
    """One instruction: what was said and how, and what was heard."""

    said: str
    voice: str
    condition: str
    seen: bool
    called: bool
    state: str
    heard: str
    confidence: float
    recogniser: str
    right: bool


def scene(rng: np.random.Generator, voice: Voice, text: str, condition: str) -> tuple[Samples, float]:
    """Return what a microphone would record of a sentence, and when the sentence ends in it [s]."""
    words_per_minute, pitch = int(rng.integers(140, 195)), int(rng.integers(35, 65))
    said = speak(voice, text, words_per_minute, pitch).astype(np.float64)
    before, after = round(_BEFORE * SAMPLE_RATE), round(_AFTER * SAMPLE_RATE)
    sound = np.concatenate([np.zeros(before), said, np.zeros(after)])
    if condition == "echo":
        sound = echo(rng, sound, ECHO)
    noise = coloured_noise(rng, len(sound), float(rng.uniform(0.0, 0.6)))
    return mix(sound, noise, CONDITIONS[condition]), (before + len(said)) / SAMPLE_RATE


def instructions(
    chosen: Sequence[Saying],
    every: Sequence[Saying],
    voices: Sequence[Voice],
    settings: HearingSettings,
    rng: np.random.Generator,
) -> Iterator[Trial]:
    """Yield a trial for each saying: every second one after the wake phrase, the others with the talk button held.

    Right is an accepted instruction with the words that were said, or with those of another wording of the same task.
    """
    tasks: dict[str, Task] = {spoken_words(saying.text): saying.task for saying in every}
    heard: list[Heard] = []
    listener = Listener(settings, heard.append)
    for index, saying in enumerate(chosen):
        voice = voices[index % len(voices)]
        condition = list(CONDITIONS)[index // len(voices) % len(CONDITIONS)]
        called = index % 2 == 0
        sound, _ = scene(rng, voice, f"hey robot, {saying.text}" if called else saying.text, condition)
        heard.clear()
        for start in range(0, len(sound), _PIECE):
            listener.hear(sound[start : start + _PIECE], push_to_talk=not called)
        listener.hear(np.zeros(round(0.8 * SAMPLE_RATE), np.int16))
        final = [report for report in heard if report.state is not State.INTERIM]
        best = min(final, key=lambda report: report.state is not State.ACCEPTED, default=None)
        text = best.instruction if best is not None else ""
        accepted = best is not None and best.state is State.ACCEPTED
        meant = tasks.get(_plain(text))
        yield Trial(
            saying.text,
            str(voice),
            condition,
            saying.seen,
            called,
            best.state.name.lower() if best is not None else "silence",
            text or (best.text if best is not None else ""),
            best.confidence if best is not None else 0.0,
            best.recogniser.name.lower() if best is not None else "",
            accepted and (_plain(text) == spoken_words(saying.text) or meant == saying.task),
        )


@dataclass(frozen=True, slots=True)
class Stop:
    """One "stop": whether it was spotted, and how long after its end [s], with the computation."""

    said: str
    voice: str
    condition: str
    held_out: bool
    spotted: bool
    latency: float


def stops(count: int, voices: Sequence[Voice], settings: HearingSettings, rng: np.random.Generator) -> Iterator[Stop]:
    """Yield `count` stops. Sound arrives in pieces of 40 ms: a latency includes the wait for the end of a piece."""
    for index in range(count):
        voice, said = voices[index % len(voices)], STOPS[int(rng.integers(len(STOPS)))]
        condition = list(CONDITIONS)[index // len(voices) % len(CONDITIONS)]
        sound, end = scene(rng, voice, said, condition)
        ear = new_ear(settings)
        latency = np.nan
        for start in range(0, len(sound), _PIECE):
            began = time.thread_time()
            found = any(isinstance(sign, Halt) for sign in ear.hear(sound[start : start + _PIECE]))
            if found and np.isnan(latency):
                latency = (start + _PIECE) / SAMPLE_RATE - end + time.thread_time() - began
        name = voice.name.rpartition("+")[2]
        yield Stop(said, str(voice), condition, name in HELD_OUT, not np.isnan(latency), float(latency))


def false_reports(
    minutes: float, voices: Sequence[Voice], settings: HearingSettings, rng: np.random.Generator
) -> Mapping[str, list[str]]:
    """Return by kind of sound what was wrongly taken for a stop or an instruction in `minutes` of sound altogether."""
    said = [speak(voices[int(rng.integers(len(voices)))], text).astype(np.int16) for text in OTHER]
    kinds: Mapping[str, Callable[[int], np.ndarray]] = {
        "speech": lambda n: _talk(rng, n, voices),
        "babble": lambda n: babble(rng, n, said),
        "tones": lambda n: tones(rng, n),
        "motors": lambda n: motors(rng, n),
    }
    found: dict[str, list[str]] = {}
    for kind, make in kinds.items():
        heard: list[Heard] = []
        listener = Listener(settings, heard.append)
        for _ in range(max(round(minutes * 60.0 / len(kinds) / 10.0), 1)):
            sound = make(10 * SAMPLE_RATE)
            loud = np.clip(sound / np.abs(sound).max() * 8000.0, -32768, 32767).astype(np.int16)
            for start in range(0, len(loud), _PIECE):
                listener.hear(loud[start : start + _PIECE])
        wrong = (State.STOP, State.ACCEPTED, State.ASKED)
        found[kind] = [f"{report.recogniser.name.lower()}: {report.text}" for report in heard if report.state in wrong]
    return found


def idle_cpu(seconds: float, settings: HearingSettings, rng: np.random.Generator) -> float:
    """Return the share of one core that listening to a quiet room takes."""
    noise = coloured_noise(rng, round(seconds * SAMPLE_RATE), 0.5)
    sound = np.rint(noise / np.abs(noise).max() * _QUIET).astype(np.int16)
    listener = Listener(settings, lambda _: None)
    began = time.process_time()
    for start in range(0, len(sound), _PIECE):
        listener.hear(sound[start : start + _PIECE])
    return (time.process_time() - began) / seconds


def _talk(rng: np.random.Generator, samples: int, voices: Sequence[Voice]) -> np.ndarray:
    sound, at = np.zeros(samples), 0
    while at < samples:
        voice, text = voices[int(rng.integers(len(voices)))], OTHER[int(rng.integers(len(OTHER)))]
        piece = speak(voice, text).astype(np.float64)[: samples - at]
        sound[at : at + len(piece)] = piece
        at += len(piece) + int(rng.uniform(0.2, 1.0) * SAMPLE_RATE)
    return sound + coloured_noise(rng, samples, 0.5) * 20.0


def _plain(text: str) -> str:
    """Return the words of an instruction without what is only polite."""
    words = spoken_words(text).replace("cube", "block").split()
    while words and words[0] in ("please", "robot", "now"):
        words = words[1:]
    while words and words[-1] in ("please", "now"):
        words = words[:-1]
    return " ".join(words)
