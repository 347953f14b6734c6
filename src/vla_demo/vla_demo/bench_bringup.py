# SPDX-License-Identifier: Apache-2.0
"""`vla bench bringup`: starts the graph and ends it, many times: when it is ready, and by Ctrl-C at random moments."""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from vla_demo.run.child import GraphEndedError, GraphProcess, find_vla_up, private_environment

READY = re.compile(r"policy .* ready")
READY_S = 120.0  # [s] at most
EARLIEST, LATEST = 0.0, 12.0  # [s] of Ctrl-C at a random moment
LEFT_S = 2.0  # [s] for the processes of a graph that has ended to be gone
WRONG = ("Traceback", "Segmentation", "SIGSEGV", "SIGABRT", "core dumped", "sending SIGKILL")


@dataclass(frozen=True, slots=True)
class Start:
    """One start and end."""

    seed: int
    when: str  # "ready", or after how many seconds it was ended
    ready_s: float | None
    end_s: float
    exit_status: int
    wrong: tuple[str, ...]


def main(arguments: Sequence[str] | None = None) -> int:
    """Start and end the graph; return 0 only if every end was clean."""
    parser = argparse.ArgumentParser(prog="vla bench bringup", description=__doc__)
    parser.add_argument("--times", type=int, default=20, help="(default: %(default)s)")
    parser.add_argument("--minutes", type=float, default=600.0, help="nothing begins after them (default: no limit)")
    parser.add_argument("--seed", type=int, default=1, help="of the first (default: %(default)s)")
    parser.add_argument("--policy", default="rt1", help="rt1, rt2 or expert (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("out/bench/bringup.json"), help="file (default: %(default)s)")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    os.environ.update(private_environment(os.environ, os.getpid()))
    deadline = time.monotonic() + 60.0 * options.minutes
    starts: list[Start] = []
    try:
        for seed in range(options.seed, options.seed + options.times):
            if time.monotonic() > deadline:
                break
            starts.append(start_and_end(seed, options.policy, options.out.resolve().parent / "bringup-logs"))
            print(_line(starts[-1]), flush=True)
    except (GraphEndedError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return _close(starts, options.out.resolve())


def start_and_end(seed: int, policy: str, logs: Path) -> Start:
    """Start the graph and end it as Ctrl-C does: odd seeds when it is ready, even ones at a random moment."""
    log = logs / f"{seed}.log"
    command = (str(find_vla_up()), "sim:=mujoco", f"policy:={policy}", "console:=false")
    after = None if seed % 2 else random.Random(seed).uniform(EARLIEST, LATEST)
    begun, ready = time.monotonic(), None
    with GraphProcess(command, log) as graph:
        while time.monotonic() - begun < (READY_S if after is None else after):
            graph.check()
            if ready is None and READY.search(log.read_text(encoding="utf-8", errors="replace")):
                ready = round(time.monotonic() - begun, 1)
                if after is None:
                    break
            time.sleep(0.05)
        ending = time.monotonic()
        status = graph.stop()
    text = log.read_text(encoding="utf-8", errors="replace")
    wrong = [word for word in WRONG if word in text] + ([f"exit status {status}"] if status else [])
    wrong += ["never ready"] if after is None and ready is None else []
    wrong += [f"still there: {name}" for name in left(text)]
    when = "ready" if after is None else f"{after:.2f} s"
    if not wrong:
        log.unlink()
    return Start(seed, when, ready, round(time.monotonic() - ending, 1), status, tuple(wrong))


def left(log: str) -> list[str]:
    """Return the processes of a graph's output that are still there a moment after its end."""
    found = [(name, int(pid)) for name, pid in re.findall(r"\| (\w+) started \[pid (\d+)\]", log)]
    deadline = time.monotonic() + LEFT_S
    while (there := [name for name, pid in found if Path(f"/proc/{pid}").exists()]) and time.monotonic() < deadline:
        time.sleep(0.05)
    return there


def _line(start: Start) -> str:
    return f"{start.seed:4d} ended: {start.when:8s} took {start.end_s:4.1f} s  {', '.join(start.wrong) or 'clean'}"


def _close(starts: Sequence[Start], out: Path) -> int:
    clean = sum(not start.wrong for start in starts)
    ready = [start.ready_s for start in starts if start.ready_s is not None]
    figures = {
        "times": len(starts),
        "clean": clean,
        "load": round(os.getloadavg()[1], 1),
        "longest_to_ready_s": max(ready, default=None),
        "longest_to_end_s": max((start.end_s for start in starts), default=None),
        "not_clean": [asdict(start) for start in starts if start.wrong],
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    print(f"{clean} of {len(starts)} clean; written: {out}")
    return 0 if starts and clean == len(starts) else 1


if __name__ == "__main__":
    sys.exit(main())
