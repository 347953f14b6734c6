# SPDX-License-Identifier: Apache-2.0
"""`vla bench fuzz`: malformed input for every reader; what is neither accepted nor refused by name is a fault."""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from vla_core.files import write_text

from vla_trust.fuzz.run import Report, fuzz
from vla_trust.fuzz.target import Target

NOTE_S = 30.0  # [s] between two lines of progress


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz the chosen targets; return 0 only if no input was one that its reader failed at."""
    parser = _parser()
    options = parser.parse_args(arguments)
    known = {target.name: target for target in all_targets()}
    if options.list:
        print("\n".join(known))
        return 0
    unknown = [name for name in options.target or () if name not in known]
    if unknown:
        parser.error(f"unknown target {', '.join(unknown)}; valid: {', '.join(known)}")
    chosen = [known[name] for name in options.target or known]
    with _silent():
        report = _fuzz(options, chosen)
    print(_table(report))
    if options.out is not None:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        write_text(options.out, json.dumps({"engine": options.engine, **report.to_dict()}, indent=2) + "\n")
    return 1 if report.failed else 0


def _fuzz(options: argparse.Namespace, chosen: Sequence[Target]) -> Report:
    if options.engine == "coverage":
        from vla_trust.fuzz.coverage import run_by_coverage

        return run_by_coverage([target.name for target in chosen], options.seconds, options.seed)
    return fuzz(chosen, options.seconds, options.seed, options.cases, _progress(options.seconds))


@contextmanager
def _silent() -> Iterator[None]:
    """Keep what readers log about bad input from the terminal."""
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def all_targets() -> tuple[Target, ...]:
    """Return every target; those of messages where ROS is there."""
    from vla_trust.fuzz.targets import files, network, words

    pure = (*files.targets(), *network.targets(), *words.targets())
    try:
        from vla_trust.fuzz.ros import readers
    except ImportError as error:
        print(f"vla bench fuzz: without the targets of messages: {error}", file=sys.stderr)
        return pure
    return (*pure, *readers.targets())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="vla bench fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="for all targets together (60)")
    parser.add_argument("--cases", type=int, help="inputs of each target at most")
    parser.add_argument("--target", nargs="+", help="only these; --list names them")
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same inputs (0)")
    parser.add_argument(
        "--engine",
        choices=("mutation", "coverage"),
        default="mutation",
        help="mutation of valid examples, or guided by coverage (requirements/fuzz.txt)",
    )
    parser.add_argument("--out", type=Path, help="JSON report")
    parser.add_argument("--list", action="store_true", help="print the targets and leave")
    return parser


def _progress(seconds: float) -> Callable[[Report], None]:
    begun = last = time.monotonic()

    def note(report: Report) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last > NOTE_S:
            last = now
            done = f"{report.cases} inputs, {report.failed} failed"
            print(f"{now - begun:6.0f} of {seconds:.0f} s: {done}", file=sys.stderr)

    return note


def _table(report: Report) -> str:
    lines = [f"{'target':28} {'inputs':>9} {'accepted':>9} {'refused':>9} {'failed':>7}"]
    for name, count in report.counts.items():
        lines.append(f"{name:28} {count.cases:9} {count.accepted:9} {count.refused:9} {count.failed:7}")
        lines += [f"    case {each.case}: {each.error} at {each.where}" for each in count.failures.values()]
    lines.append(f"{'all':28} {report.cases:9} {'':9} {'':9} {report.failed:7}   seed {report.seed}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
