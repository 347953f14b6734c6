# SPDX-License-Identifier: Apache-2.0
"""`vla train halt-word`: trains the network that spots "stop", on speech by synthetic voices.

Needs espeak-ng and flite (apt-get install espeak-ng flite). DIR gets stop.safetensors, README.md (its card) and
figures.json: recall and false alarms on clips and on voices kept back, beside those of the head that ships.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vla_core.files import replacing, write_text

from vla_speech.errors import MissingSpeechError, SoundError
from vla_speech.halt_word.spotter import WEIGHTS, read_weights
from vla_speech.halt_word.training.card import card
from vla_speech.halt_word.training.clips import Clip, Part, Recipe
from vla_speech.halt_word.training.speakers import ACCENTS, load_speakers

_LEAST_CLIPS = 20  # fewer may lack one kind


def main(arguments: Sequence[str] | None = None) -> int:
    """Train; the exit status is 1 where something is not installed, 2 for invalid input."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    options = _parser().parse_args(words)
    try:
        _check_out(options.out)
        _train(options, "./vla train halt-word " + shlex.join(words))
    except MissingSpeechError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except (SoundError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="vla train halt-word", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="new or empty folder")
    parser.add_argument("--seed", type=_number(0), default=0, metavar="N", help="(default: 0)")
    parser.add_argument("--clips", type=_number(_LEAST_CLIPS), default=6000, metavar="N", help="(default: %(default)s)")
    parser.add_argument(
        "--kept", type=_number(_LEAST_CLIPS), default=800, metavar="N",
        help="clips kept back, and as many by voices kept back (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--accents",
        nargs="+",
        default=ACCENTS,
        metavar="NAME",
        help="of espeak-ng --voices (default: eight of English)",
    )
    parser.add_argument("--noise", type=Path, metavar="DIR", help="*.wav of the site's noise, for half of the clips")
    parser.add_argument("--workers", type=_number(1), default=os.cpu_count() or 1, metavar="N", help="(default: cores)")
    return parser


def _number(least: int) -> Any:
    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if value < least:
            raise argparse.ArgumentTypeError(f"{text!r}; valid: a whole number of at least {least}")
        return value

    return parse


def _check_out(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SoundError(f"--out {folder} exists; valid: a new or empty folder")


def _train(options: argparse.Namespace, command: str) -> None:
    from vla_speech.halt_word.training.making import make_clips

    began = time.monotonic()
    recipe = Recipe(options.seed, tuple(options.accents), options.noise)
    counts = {Part.TRAIN: options.clips, Part.KEPT_CLIPS: options.kept, Part.KEPT_VOICES: options.kept}
    clips = make_clips(recipe, counts, options.workers, _say)
    weights, figures = _fit(clips, options.seed)
    facts = {
        **_facts(recipe, clips[Part.TRAIN]),
        "command": command,
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "minutes": round((time.monotonic() - began) / 60.0, 1),
        "cores": os.cpu_count(),
    }
    _write(options.out, weights, facts, figures)


def _fit(clips: Mapping[Part, Sequence[Clip]], seed: int) -> tuple[Mapping[str, Any], dict[str, Any]]:
    """Return the head, and the figures of it and of the one that ships."""
    from vla_speech.halt_word.training.figures import at_default, measure
    from vla_speech.halt_word.training.trainer import HeadTrainer
    from vla_speech.halt_word.training.windows import windows_of

    weights = HeadTrainer(windows_of(clips[Part.TRAIN]), seed).run(_say)
    parts = (Part.KEPT_CLIPS, Part.KEPT_VOICES)
    heads = {"trained": weights, "shipped": read_weights(WEIGHTS)}
    figures = {name: {p.name.lower(): measure(head, clips[p]) for p in parts} for name, head in heads.items()}
    for name, by_part in figures.items():
        for part, measured in by_part.items():
            _say(f"{name}, {part}: separation {measured['separation']}, {dict(at_default(measured))}")
    return weights, figures


def _facts(recipe: Recipe, clips: Sequence[Clip]) -> dict[str, Any]:
    from vla_speech.halt_word.training.trainer import TrainSettings

    speakers, kept = load_speakers(recipe.accents)
    return {
        "seed": recipe.seed,
        "clips": len(clips),
        "halt": sum(clip.halt for clip in clips),
        "hours": round(sum(clip.seconds for clip in clips) / 3600.0, 1),
        "accents": list(recipe.accents),
        "variants": len(speakers.variants),
        "flite": list(speakers.flite),
        "kept_voices": [*kept.variants, *kept.flite],
        "noise": f"half of it recorded ({recipe.noise})" if recipe.noise else "no recorded noise",
        "programs": _programs(),
        "hidden": list(TrainSettings().hidden),
    }


def _programs() -> str:
    commands = (["espeak-ng", "--version"], ["flite", "--version"])
    texts = [subprocess.run(c, capture_output=True, text=True, check=False).stdout for c in commands]
    versions = [re.search(r"\d+\.\d+(\.\d+)?", text) for text in texts]
    return ", ".join(
        f"{c[0]} {v.group() if v else '(unknown version)'}" for c, v in zip(commands, versions, strict=True)
    )


def _write(folder: Path, weights: Mapping[str, Any], facts: Mapping[str, Any], figures: Mapping[str, Any]) -> None:
    from safetensors.numpy import save_file

    with replacing(folder / WEIGHTS.name) as path:
        save_file(dict(weights), path)
    write_text(folder / "README.md", card(facts, figures))
    write_text(folder / "figures.json", json.dumps({**facts, "figures": figures}, indent=2) + "\n")
    _say(f"written: {folder}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
