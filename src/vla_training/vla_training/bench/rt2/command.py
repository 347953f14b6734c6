# SPDX-License-Identifier: Apache-2.0
"""`vla bench rt2`: how many answers are legal actions, and what one action costs, baselines measured in the same run.

Weights do not matter for the time, so random ones of several shapes are used; --checkpoint adds a trained model.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from vla_policy.errors import ConfigurationError

from vla_training.bench.rt1 import Way
from vla_training.bench.rt2 import legality, speed
from vla_training.bench.rt2.drive import record
from vla_training.bench.rt2.picture import draw
from vla_training.bench.rt2.shapes import SHAPES, build
from vla_training.run.arguments import Parser, natural, positive

DEFAULT_SHAPES = ("15m", "100m")
STEPS = 50  # of a trained model's drive: 10 s


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `vla bench rt2`."""
    parser.add_argument("--decodes", type=natural, default=10_000, help="actions decoded in each way; 0 leaves it out")
    parser.add_argument(
        "--shape",
        choices=sorted(SHAPES),
        nargs="*",
        default=list(DEFAULT_SHAPES),
        help=f"random models to time (default {' '.join(DEFAULT_SHAPES)}); paligemma3b and 7b are meant for a GPU",
    )
    parser.add_argument("--checkpoint", default="", help="also time this RT-2 checkpoint: a folder, or a shipped name")
    parser.add_argument("--dtype", default="auto", help="of the checkpoint: auto, float32, bfloat16, float16")
    parser.add_argument("--quantization", default="none", help="of the checkpoint: none, int8, int4")
    parser.add_argument("--robot", default="fr3", help="whose shipped RT-1 is compared with (default fr3)")
    parser.add_argument("--rounds", type=positive, default=20, help="how often each way is timed (default 20)")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--threads", type=natural, default=0, help="threads of the CPU; 0 leaves torch's choice")
    parser.add_argument("--out", type=Path, default=Path("out/bench/rt2.json"), help="the picture is put beside it")


def run(arguments: argparse.Namespace) -> int:
    """Measure, print tables, write the JSON file and the picture. Returns the exit status."""
    if arguments.device == "cuda" and not torch.cuda.is_available():
        raise ConfigurationError("device is cuda, there is no GPU that torch can use; valid here is cpu")
    if arguments.threads > 0:
        torch.set_num_threads(arguments.threads)
    result: dict[str, Any] = {"machine": _machine(arguments), "legality": {}, "speed": {}, "rt1": {}}
    if arguments.decodes:
        result["legality"] = legality.measure(arguments.decodes)
        _print_legality(result["legality"])
    for name in arguments.shape:
        subject = build(name, arguments.device)
        result["speed"][name] = speed.measure_shape(subject, arguments.rounds, arguments.device, name)
        _print_speed(name, result["speed"][name])
        if arguments.device == "cpu" and not result["rt1"]:
            _compare_rt1(result["rt1"], name, speed.random_rt2(subject), arguments)
        del subject
    if arguments.checkpoint:
        _measure_checkpoint(result, arguments)
    _write(arguments.out, result)
    return 0


def _machine(arguments: argparse.Namespace) -> dict[str, Any]:
    import transformers

    return {
        "processor": platform.processor() or platform.machine(),
        "device": torch.cuda.get_device_name() if arguments.device == "cuda" else "cpu",
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load_average_1min": os.getloadavg()[0],
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "rounds": arguments.rounds,
    }


def _measure_checkpoint(result: dict[str, Any], arguments: argparse.Namespace) -> None:
    """The decoder alone on a trained model, then the whole policy, preparation of pictures included, against RT-1."""
    from vla_policy.rt2.model.checkpoint import find_checkpoint, load_checkpoint
    from vla_policy.rt2.policy import RT2Policy

    checkpoint = load_checkpoint(
        find_checkpoint(arguments.checkpoint, arguments.robot),
        device=arguments.device,
        dtype=arguments.dtype,
        quantization=arguments.quantization,
    )
    precision = [word for word in (arguments.dtype, arguments.quantization) if word not in ("auto", "none")]
    name = " ".join([Path(checkpoint.source).name, *precision])
    drive = record(checkpoint, arguments.robot, STEPS)
    result["speed"][name] = speed.measure_drive(drive, arguments.rounds, arguments.device)
    _print_speed(name, result["speed"][name])
    if arguments.device == "cpu":
        _compare_rt1(result["rt1"], name, speed.acting(RT2Policy(checkpoint)), arguments)


def _compare_rt1(found: dict[str, Any], name: str, rt2: Way, arguments: argparse.Namespace) -> None:
    found[name] = speed.compare_rt1(rt2, arguments.rounds, arguments.robot)
    _print_timings(f"{name} against RT-1 {found[name]['rt1_checkpoint']}", found[name]["timings"])


def _write(path: Path, result: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(f"written: {path}, {draw(path.with_suffix('.png'), result)}")


def _print_legality(found: Mapping[str, Any]) -> None:
    print(f"{found['decodes']} actions of {found['models']} random models, {found['space']}")
    print(f"  {'':22} {'legal actions':>14} {'legal tokens':>13} {'at range ends':>14} {'mean size':>10}")
    for mode in ("greedy", "sample"):
        for way, numbers in found[mode].items():
            _print_row(
                f"{mode} {way}", f"{numbers['legal_strings']:14.2%} {numbers['legal_tokens']:13.2%}", numbers["values"]
            )
            if numbers["clipped"]:
                _print_row(f"{mode} strays, clipped", f"{'':28}", numbers["clipped"])
    _print_row("uniform", f"{'':28}", found["uniform"])


def _print_row(name: str, shares: str, values: Mapping[str, Any]) -> None:
    print(f"  {name:22} {shares} {values['at_ends']:14.2%} {values['mean_size']:10.3f}", flush=True)


def _print_speed(name: str, found: Mapping[str, Any]) -> None:
    print(
        f"{name}: {found['parameters'] / 1e6:.1f} M parameters, {found['dtype']}, {found['prompt_tokens']} prompt "
        f"tokens, {found['vocabulary']} words"
    )
    if "guessing" in found:
        print("  guessing the last action: {passes_mean:.1f} passes of {passes_without}".format(**found["guessing"]))
    for layout in ("picture_first", "text_first"):
        if layout in found:
            _print_timings(f" {layout.replace('_', ' ')}", found[layout])


def _print_timings(title: str, timings: Mapping[str, Any]) -> None:
    print(title)
    for way, timing in timings.items():
        print(f"  {way:26} {timing['p50_ms']:9.1f} ms  {timing['ratio']:6.2f} x", flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of the command line's `bench rt2`."""
    parser = Parser(prog="vla bench rt2", description=__doc__)
    add_arguments(parser)
    return run(parser.parse_args(argv))
