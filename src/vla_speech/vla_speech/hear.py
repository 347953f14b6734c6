# SPDX-License-Identifier: Apache-2.0
"""`vla hear FILE.wav`: what the robot would make of a file, as JSON.

The file counts as spoken while the talk button is held, so that it needs no wake phrase; --wake asks for the phrase.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from vla_core.arguments import add_settings
from vla_core.settings import SettingsError

from vla_speech.errors import MissingSpeechError, SoundError
from vla_speech.heard import Heard, State
from vla_speech.listener import Listener
from vla_speech.settings import HearingSettings
from vla_speech.sound import SAMPLE_RATE, Samples, clipped, level_db, read_sound

_BEFORE, _AFTER = 0.3, 0.5  # [s] of silence around a file, which may begin and end with a word
_FIRST = (State.STOP, State.ACCEPTED, State.ASKED, State.REJECTED, State.IGNORED)  # which utterance stands for the file


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the JSON; the exit status is 1 where nothing was recognised or a model is absent, 2 for invalid input."""
    parser = argparse.ArgumentParser(prog="vla hear", description=__doc__)
    parser.add_argument("file", type=Path, help="WAV file: PCM or floating point, 8 to 192 kHz, 1 to 8 channels")
    parser.add_argument("--wake", action="store_true", help="ask for the wake phrase, as the microphone does")
    add_settings(parser, HearingSettings)
    options = parser.parse_args(arguments)
    try:
        settings = HearingSettings(**{item.name: getattr(options, item.name) for item in fields(HearingSettings)})
        sound = read_sound(options.file)
        answer = describe(sound, hear(sound, settings, options.wake))
    except (SoundError, SettingsError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except MissingSpeechError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(json.dumps({"file": str(options.file), **answer}, indent=2, ensure_ascii=False))
    return 0 if answer["instruction"] else 1


def hear(sound: Samples, settings: HearingSettings, wake: bool = False) -> list[Heard]:
    """Return the final reports on a sound; without `wake` it counts as spoken with the talk button held."""
    heard: list[Heard] = []
    listener = Listener(settings, heard.append)
    before, after = (np.zeros(round(seconds * SAMPLE_RATE), np.int16) for seconds in (_BEFORE, _AFTER))
    listener.hear(np.concatenate([before, sound, after]), push_to_talk=not wake)
    listener.finish()
    return [report for report in heard if report.state is not State.INTERIM]


def describe(sound: Samples, heard: Sequence[Heard]) -> dict[str, Any]:
    """Return the JSON of a sound and its reports; the most important report stands for the whole."""
    reports = [_entry(report) for report in heard]
    best = min(heard, key=lambda report: _FIRST.index(report.state), default=None)
    silent = {"text": "", "instruction": "", "confidence": 0.0, "state": "silence", "reason": "no speech found"}
    notes = ["clipped: recorded too loud"] if clipped(sound) else []
    return {
        "duration": round(len(sound) / SAMPLE_RATE, 3),
        "level_db": round(level_db(sound), 1),
        "notes": notes,
        **(silent if best is None else _entry(best)),
        "utterances": reports,
    }


def _entry(report: Heard) -> dict[str, Any]:
    return {
        "text": report.text,
        "instruction": report.instruction,
        "confidence": None if math.isnan(report.confidence) else round(report.confidence, 3),
        "state": report.state.name.lower(),
        "recogniser": report.recogniser.name.lower(),
        "language": "en",
        "question": report.question,
        "reason": report.reason,
    }


if __name__ == "__main__":
    sys.exit(main())
