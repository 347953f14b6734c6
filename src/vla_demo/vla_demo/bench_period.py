# SPDX-License-Identifier: Apache-2.0
"""`vla bench period`: how regularly the controller ticks while RT-1 infers and the simulator runs on the same machine.

The controller measures its own periods. Beside it, in the same run, two processes hold an ordinary rclpy timer at the
same rate: one as it comes, one with the real-time priority that the controller asks for.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from vla_demo.period import period_figures
from vla_demo.run.child import GraphEndedError, private_environment


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write the figures; return 0 when the graph ran to the end."""
    parser = argparse.ArgumentParser(prog="vla bench period", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="for each rate (default: %(default)s)")
    parser.add_argument("--rates", type=float, nargs="+", default=[20.0, 100.0], help="[Hz] (default: 20 100)")
    parser.add_argument("--robot", default="fr3", help="fr3 or wx250s (default: %(default)s)")
    parser.add_argument("--policy", default="rt1", help="rt1 or expert (default: %(default)s)")
    parser.add_argument("--checkpoint", default="", help="weights of the policy: a shipped name or a path")
    parser.add_argument("--out", type=Path, default=Path("out/bench/period.json"), help="file (default: %(default)s)")
    options = parser.parse_args(arguments)
    os.environ.update(private_environment(os.environ, os.getpid()))
    try:
        return _run(options)
    except (GraphEndedError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _run(options: argparse.Namespace) -> int:
    from vla_demo.ros.period import measure  # only now: rclpy reads the environment

    words = [f"robot:={options.robot}", "sim:=mujoco", f"policy:={options.policy}", "console:=false"]
    words += [f"checkpoint:={options.checkpoint}"] if options.checkpoint else []
    result: dict[str, Any] = {
        "cores": os.cpu_count(),
        "load_average_at_start": os.getloadavg()[0],
        "minutes": options.minutes,
        "policy": options.policy,
        "rates": {},
    }
    for rate in options.rates:
        log = options.out.with_name(f"{options.out.stem}-{rate:g}hz.log")
        with ThreadPoolExecutor(1) as pool:  # a thread for each: the recorder's niceness is not for the next graph
            measured = pool.submit(measure, words, rate, 60.0 * options.minutes, log, _say).result()
        result["rates"][f"{rate:g}"] = {
            "controller": period_figures(measured.controller, rate),
            "controller_priority": measured.priority,
            "statuses_lost": measured.statuses_lost,
            **{f"rclpy_timer_{name}": period_figures(rows, rate) for name, rows in measured.timers.items()},
            "chunks_during": measured.chunks,
            "real_time_factor": measured.real_time_factor,
            "load_average_at_end": os.getloadavg()[0],
        }
        _show(rate, result["rates"][f"{rate:g}"])
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(f"written: {options.out}")
    return 0


def _say(text: str) -> None:
    print(text, flush=True)


def _show(rate: float, row: dict[str, Any]) -> None:
    print(f"{rate:g} Hz, {row['chunks_during']} chunks, controller with {row['controller_priority']} priority [ms]:")
    for name in ("controller", "rclpy_timer_normal", "rclpy_timer_realtime"):
        figures = row[name]
        if figures["ticks"]:
            keys = ("period_p50_ms", "period_p99_ms", "period_max_ms", "jitter_p99_ms", "missed")
            print(
                f"  {name:22} "
                + "  ".join(f"{key[:-3] if key.endswith('_ms') else key} {figures[key]}" for key in keys)
            )


if __name__ == "__main__":
    sys.exit(main())
