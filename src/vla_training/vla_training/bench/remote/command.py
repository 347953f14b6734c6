# SPDX-License-Identifier: Apache-2.0
"""`vla bench remote`: a policy across the network against the same policy in process, part by part.

Parts that are not named keep what the file holds of an earlier run.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from vla_core.files import write_text

from vla_training.bench.remote.picture import draw
from vla_training.run.arguments import Parser, natural, positive

PARTS = {  # part: keys of the JSON file that it writes; the module of its name measures it
    "success": ("success_local", "success_remote", "added_ms_p99", "success"),
    "fleet": ("fleet",),
    "faults": ("faults",),
    "latency": ("latency", "latency_motion", "slow_inference"),
    "edge": ("edge",),
    "engine": ("engine",),
}
ROBOTS = (1, 2, 4, 8, 16)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of the command line's `bench remote`."""
    parser = Parser(prog="vla bench remote", description=__doc__)
    add_arguments(parser)
    return run(parser.parse_args(argv))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `vla bench remote`."""
    parser.add_argument("--parts", nargs="+", choices=tuple(PARTS), default=list(PARTS), help="default: all")
    parser.add_argument("--policy", default="rt1", help="what is served (default rt1)")
    parser.add_argument("--checkpoint", default="", help="its weights; empty: the robot's shipped ones")
    parser.add_argument("--robot", default="fr3")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="cpu", help="where the server computes")
    parser.add_argument("--episodes", type=positive, default=50, help="of part success (default 50)")
    parser.add_argument("--seed", type=natural, default=7)
    parser.add_argument("--rounds", type=positive, default=100, help="timings of each step in edge, engine")
    parser.add_argument("--robots", type=positive, nargs="+", default=list(ROBOTS), help="of part fleet")
    parser.add_argument("--seconds", type=float, default=8.0, help="[s] least time for each number of part fleet")
    parser.add_argument("--faults", type=positive, default=1000, help="of part faults (default 1000)")
    parser.add_argument("--latency-episodes", type=positive, default=20, help="of each condition of part latency")
    parser.add_argument("--added", type=float, nargs="*", default=[0.0, 0.2, 0.5, 1.0], help="[s] of part latency")
    parser.add_argument("--slow", type=float, nargs="*", default=[0.4, 0.6, 1.0], help="[s] an inference, likewise")
    parser.add_argument("--slow-policy", default="rt1", help="whose inference is slow (default rt1)")
    parser.add_argument("--threads", type=natural, default=1, help="of the server's numerical library (default 1)")
    parser.add_argument("--out", type=Path, default=Path("out/bench/remote.json"), help="the picture is put beside it")


def run(arguments: argparse.Namespace) -> int:
    """Measure the parts, write the JSON file after each, and the picture. Returns the exit status."""
    result = _earlier(arguments.out)
    for part in arguments.parts:
        print(f"{part}:", flush=True)
        found = load(part).measure(arguments)
        result |= found | {"machine": _machine(arguments)}
        write_text(arguments.out, json.dumps(result, indent=2) + "\n")
        print(f"written: {arguments.out}", flush=True)
    drawn = [load(part).draw for part, keys in PARTS.items() if all(key in result for key in keys)]
    print(f"written: {draw(arguments.out.with_suffix('.png'), drawn, result)}")
    return 0


def load(part: str) -> ModuleType:
    """Return the module of a part."""
    return import_module(f"vla_training.bench.remote.{part}")


def _earlier(path: Path) -> dict[str, Any]:
    """Return what the file holds; nothing where there is none that can be read."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _machine(arguments: argparse.Namespace) -> dict[str, Any]:
    return {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "device": arguments.device,
        "threads": arguments.threads,
        "load_average_1min": os.getloadavg()[0],
    }
