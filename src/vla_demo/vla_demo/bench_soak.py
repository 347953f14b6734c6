# SPDX-License-Identifier: Apache-2.0
"""`vla bench soak`: an operator who does everything at random, for hours; memory, descriptors and latency over time."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from vla_demo.faults.soak import growing, slopes
from vla_demo.run.child import GraphEndedError, private_environment


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the graph; return 0 only if it ran to the end, kept every limit and nothing grows."""
    parser = argparse.ArgumentParser(prog="vla bench soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0, help="(default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of what the operator does (default: %(default)s)")
    parser.add_argument("--policy", default="rt1", help="rt1, rt2 or expert (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("out/bench/soak.json"), help="file (default: %(default)s)")
    options = parser.parse_args(arguments)
    for number in (signal.SIGTERM, signal.SIGINT):  # the graph is stopped, and what there is is written
        signal.signal(number, signal.default_int_handler)
    os.environ.update(private_environment(os.environ, os.getpid()))
    os.environ["XDG_STATE_HOME"] = str(options.out.resolve().parent / "soak-state")
    try:
        return _run(options)
    except (GraphEndedError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _run(options: argparse.Namespace) -> int:
    from vla_demo.ros.faults.bench import Setup, machine  # only now: rclpy reads the environment
    from vla_demo.ros.faults.soak import soak

    out: Path = options.out.resolve()
    found = soak(options.minutes, options.seed, Setup(options.policy, "mujoco", out.parent, float("inf")), _say)
    figures = slopes(found.samples) if found.samples else {}
    grows = growing(figures)
    result = {
        "hours": round(found.hours, 3),
        "machine": machine(),
        "policy": options.policy,
        "acts": dict(found.acts),
        "exit_status": found.exit_status,
        "violations": found.violations,
        "growing": grows,
        "slopes": figures,
        "samples": [asdict(sample) for sample in found.samples],
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"{found.hours:.2f} h, {sum(found.acts.values())} acts, exit status {found.exit_status}; written: {out}")
    for text in (*found.violations, *grows):
        print(f"  {text}")
    return 1 if found.violations or grows or found.exit_status != 0 else 0


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
