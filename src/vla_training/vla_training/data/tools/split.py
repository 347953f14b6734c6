# SPDX-License-Identifier: Apache-2.0
"""`vla data split`: parts of a data set as new sets of v3.0: by episode numbers, or by shares at random.

vla data split SET --out GOOD --episodes 0-49 60
vla data split SET --out TRAIN TEST --shares 0.9 0.1
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vla_training.run.arguments import Parser, natural, share
from vla_training.run.errors import TrainingError

SPAN = re.compile(r"(\d+)(?:-(\d+))?")


def episodes_of(words: Sequence[str], known: Sequence[int]) -> list[int]:
    """Return the numbers of words as `3` or `0-49`. Raises TrainingError for one that the set does not have."""
    chosen: list[int] = []
    for word in words:
        match = SPAN.fullmatch(word)
        if match is None:
            raise TrainingError(f"--episodes {word!r}; valid is a number or FIRST-LAST")
        chosen += range(int(match[1]), int(match[2] or match[1]) + 1)
    missing = sorted(set(chosen) - set(known))
    if missing:
        raise TrainingError(f"the set has no episode {missing[0]}; valid are {min(known)} to {max(known)}")
    return chosen


def by_shares(known: Sequence[int], shares: Sequence[float], seed: int) -> list[list[int]]:
    """Return the episodes of each share, drawn at random; every episode is in one part. Raises TrainingError."""
    if len(shares) < 2 or abs(sum(shares) - 1.0) > 1e-6:
        raise TrainingError(f"--shares {' '.join(map(str, shares))}; valid are two or more that sum to 1")
    order = np.random.default_rng(seed).permutation(np.array(known))
    ends = np.round(np.cumsum(shares) * len(known)).astype(int)
    parts = [sorted(part.tolist()) for part in np.split(order, ends[:-1])]
    if not all(parts):
        raise TrainingError(f"{len(known)} episodes leave a share without any; valid are more, or other shares")
    return parts


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `vla data split`; returns the exit status."""
    options = _parser().parse_args(argv)
    from vla_training.data.lerobot.listing import open_listing
    from vla_training.data.tools.assembly import Part, assemble, numbers_of

    listing = open_listing(options.set)
    known = list(numbers_of(listing))
    if bool(options.episodes) == bool(options.shares):
        raise TrainingError("valid is either --episodes or --shares")
    chosen = [episodes_of(options.episodes, known)] if options.episodes else []
    parts = chosen or by_shares(known, options.shares, options.seed)
    if len(parts) != len(options.out):
        raise TrainingError(f"--out has {len(options.out)} folders for {len(parts)} parts; valid is one for each")
    for out, numbers in zip(options.out, parts, strict=True):
        episodes, frames = assemble(out, [Part(listing, frozenset(numbers))])
        print(f"{out}: {episodes} episodes, {frames} frames")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="vla data split", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", type=Path, metavar="SET", help="folder of the data set")
    parser.add_argument("--out", type=Path, nargs="+", required=True, help="folders of the new sets; must not exist")
    parser.add_argument("--episodes", nargs="+", default=[], metavar="N|A-B", help="the episodes of the one new set")
    parser.add_argument("--shares", type=share, nargs="+", default=[], help="of each new set")
    parser.add_argument("--seed", type=natural, default=0, help="of the shares' draw (default 0)")
    return parser
