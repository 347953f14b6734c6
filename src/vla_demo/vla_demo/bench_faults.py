# SPDX-License-Identifier: Apache-2.0
"""`vla bench faults`: lets faults happen in the running graph, and tells whether what is promised was kept."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vla_demo.faults.report import merge, summary, table, write_json
from vla_demo.faults.table import CASES, UnknownFaultError, select
from vla_demo.run.child import GraphEndedError, private_environment

MARK = "<!-- table -->"
ARMS = ("mujoco", "franka-sim")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the faults; return 0 only if every promise was kept, 1 otherwise, 2 for wrong use."""
    parser = argparse.ArgumentParser(prog="vla bench faults", description=__doc__)
    parser.add_argument("--faults", nargs="+", default=[], metavar="NAME", help="parts of names (default: all)")
    parser.add_argument("--seeds", type=int, default=1, help="runs of each fault (default: %(default)s)")
    parser.add_argument("--arm", choices=ARMS, default=ARMS[0], help="what moves (default: %(default)s)")
    parser.add_argument("--policy", default="rt1", help="rt1, rt2 or expert (default: %(default)s)")
    parser.add_argument("--minutes", type=float, default=600.0, help="nothing begins after them (default: no limit)")
    parser.add_argument("--out", type=Path, default=Path("out/bench/faults.json"), help="file (default: %(default)s)")
    parser.add_argument("--merge", action="store_true", help="keep the runs of other faults and seeds in the file")
    parser.add_argument("--docs", type=Path, help="write the table into this page, after its mark")
    parser.add_argument("--list", action="store_true", help="print the faults and leave")
    options = parser.parse_args(arguments)
    try:
        cases = select(options.faults)
        if options.list:
            print("\n".join(case.name for case in cases))
            return 0
        return _run(options)
    except UnknownFaultError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except (GraphEndedError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _run(options: argparse.Namespace) -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the graph is stopped, and what there is is written
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs start with it ignored
    os.environ.update(private_environment(os.environ, os.getpid()))
    out: Path = options.out.resolve()
    os.environ["XDG_STATE_HOME"] = str(out.parent / "faults-state")  # an emergency stop is not for the user's own graph
    from vla_demo.ros.faults.bench import Setup, bench, machine  # only now: rclpy reads the environment

    setup = Setup(options.policy, options.arm, out.parent, time.monotonic() + 60.0 * options.minutes)
    runs = bench(select(options.faults), options.seeds, setup, _say)
    if options.merge and out.is_file():
        runs = merge(json.loads(out.read_text(encoding="utf-8"))["all_runs"], runs)
    figures = {"machine": machine(), "arm": options.arm, "policy": options.policy, **summary(CASES, runs)}
    write_json(out, figures, runs)
    _close(figures, options, out)
    return 0 if runs and not figures["violations"] else 1


def _close(figures: dict[str, Any], options: argparse.Namespace, out: Path) -> None:
    print(f"\n{figures['as_promised']} of {figures['runs']} runs of {figures['faults']} faults as promised")
    print(f"longest way to rest where it is promised: {figures['longest_to_rest_s']} s")
    for text in figures["violations"]:
        print(f"  violated: {text}")
    if options.docs:
        page = options.docs.read_text(encoding="utf-8").partition(MARK)[0]
        options.docs.write_text(f"{page}{MARK}\n{table([c for c in CASES if _ran(figures, c.name)], figures)}", "utf-8")
    print(f"written: {out}")


def _ran(figures: dict[str, Any], name: str) -> bool:
    return bool(figures["by_fault"][name]["runs"])


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
