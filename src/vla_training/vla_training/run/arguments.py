# SPDX-License-Identifier: Apache-2.0
"""Command-line arguments: one line for each refusal, and the value types that several commands share."""

from __future__ import annotations

import argparse
import os
import sys
from typing import NoReturn

CORES = os.cpu_count() or 1


class Parser(argparse.ArgumentParser):
    """Refuses in one line on the standard error stream, with exit status 2."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and leave."""
        print(f"{self.prog}: {message} (`{self.prog} --help` explains)", file=sys.stderr)
        raise SystemExit(2)


def positive(text: str) -> int:
    """A whole number of at least 1."""
    return _whole(text, 1)


def natural(text: str) -> int:
    """A whole number of at least 0."""
    return _whole(text, 0)


def _whole(text: str, least: int) -> int:
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if value < least:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least {least}")
    return value


def share(text: str) -> float:
    """A number from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value <= 1.0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1")
    return value


def add_vary(parser: argparse.ArgumentParser) -> None:
    """Add `--vary`: words for `vla_sim.variation.variation.parse_variation`."""
    parser.add_argument(
        "--vary",
        nargs="+",
        default=[],
        metavar="NAME[=RANGE]",
        help="how tables differ: a file of config/variation, an axis (camera), a range (camera.shift=0.0:0.02)",
    )


def add_run_arguments(parser: argparse.ArgumentParser, report_every: int, validate_every: int) -> None:
    """Add what every training command takes: seed, device, threads, intervals [updates], resume or fresh."""
    parser.add_argument("--seed", type=natural, default=0)
    parser.add_argument("--device", default="auto", help="auto (default), cpu or cuda")
    parser.add_argument("--threads", type=natural, default=0, help="of the numerical library; 0 leaves its choice")
    parser.add_argument("--report-every", type=positive, default=report_every, metavar="STEPS")
    parser.add_argument("--validate-every", type=positive, default=validate_every, metavar="STEPS")
    existing = parser.add_mutually_exclusive_group()
    existing.add_argument("--resume", action="store_true", help="refuse to begin where nothing is to be resumed")
    existing.add_argument("--fresh", action="store_true", help="forget what RUN holds (default: continue it)")
