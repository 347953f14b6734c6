# SPDX-License-Identifier: Apache-2.0
"""`vla data merge`: several data sets of one robot, v3.0 or v2.1, as one new set of v3.0.

Nothing is decoded or encoded again: pictures and videos are those of the sets. Of one set of v2.1 it makes one of v3.0.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from vla_training.run.arguments import Parser


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `vla data merge`; returns the exit status."""
    parser = Parser(prog="vla data merge", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", type=Path, nargs="+", metavar="SET", help="folders of data sets")
    parser.add_argument("--out", type=Path, required=True, help="folder of the new set; must not exist")
    options = parser.parse_args(argv)
    from vla_training.data.lerobot.listing import open_listing
    from vla_training.data.tools.assembly import Part, assemble, numbers_of

    listings = [open_listing(folder) for folder in options.sets]
    episodes, frames = assemble(options.out, [Part(each, frozenset(numbers_of(each))) for each in listings])
    print(f"{options.out}: {episodes} episodes, {frames} frames")
    return 0
