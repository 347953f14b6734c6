# SPDX-License-Identifier: Apache-2.0
"""`vla bench console`: stop to halt, the age of pictures, and what pages cost the controller and the policy.

The simulator's graph runs with its console; clients stand for pages. Stop: from the press to the first tick of the
controller that brakes, and to the setpoint's rest. Glass: from the stamp of a simulated picture to its reception and
decoding by a page; of it, from its arrival at console_node on. Then the same tasks without a page, with one, and with
20 of which one reads nothing; they run on this machine with a lower priority.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vla_demo.period import period_figures
from vla_demo.run.child import GraphEndedError, private_environment

RATE = 20.0  # [Hz] of the controller


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write the figures; return 0 when the graph ran to the end."""
    parser = argparse.ArgumentParser(prog="vla bench console", description=__doc__)
    parser.add_argument("--trials", type=int, default=30, help="stops (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=60.0, help="[s] of each phase (default: %(default)s)")
    parser.add_argument("--viewers", type=int, default=20, help="pages, one of which is deaf (default: %(default)s)")
    parser.add_argument("--policy", default="rt1", help="rt1 or expert (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("out/bench/console.json"), help="file (default: %(default)s)")
    options = parser.parse_args(arguments)
    if options.viewers < 2:
        parser.error(f"--viewers is {options.viewers}; valid: 2 or more")
    os.environ.update(private_environment(os.environ, os.getpid()))
    load = os.getloadavg()[0]
    try:
        from vla_demo.ros.console import measure  # only now: rclpy reads the environment

        words = ("sim:=mujoco", f"policy:={options.policy}", f"controller_rate:={RATE}", "console_port:=0")
        log = options.out.with_suffix(".log")
        found = measure(words, options.trials, options.seconds, options.viewers, log, _say)
    except (GraphEndedError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    glass = {name: _p95_ms(values) for name, values in found.glass.items()}
    result: dict[str, Any] = {
        "cores": os.cpu_count(),
        "load_average": {"start": round(load, 2), "end": round(os.getloadavg()[0], 2)},
        "policy": options.policy,
        "viewers": options.viewers,
        "stops": len(found.stop),
        "stop_ms_p50": _ms(found.stop, 50),
        "stop_ms_p95": _p95_ms(found.stop),
        "rest_ms_p95": _p95_ms(found.rest),
        "glass_ms_p50": _ms(found.glass["one page"], 50),
        "glass_ms_p95": glass["one page"],
        "glass_ms_p95_viewers": glass["viewers"],
        "of_it_console_ms_p95": {name: _p95_ms(values) for name, values in found.console.items()},
        "pictures_per_s": {name: round(value, 2) for name, value in found.pictures_per_s.items()},
        "period_ms_p99": {name: _ms(values, 99) for name, values in found.periods.items()},
        "period": {name: period_figures(values, RATE) for name, values in found.periods.items()},
        "chunks_per_s": {name: round(value, 2) for name, value in found.chunks_per_s.items()},
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    for name, value in result.items():
        if name != "period":
            print(f"{name}: {value}")
    print(f"written: {options.out}")
    return 0


def _ms(seconds: Sequence[float], share: float) -> float | None:
    return round(1e3 * float(np.percentile(seconds, share)), 1) if seconds else None


def _p95_ms(seconds: Sequence[float]) -> float | None:
    return _ms(seconds, 95)


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
