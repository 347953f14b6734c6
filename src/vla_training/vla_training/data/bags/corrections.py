# SPDX-License-Identifier: Apache-2.0
"""`vla dagger --from BAG…`: what people did when they took over from a policy, as a data set.

Each time that somebody held the arm becomes an episode of its own: the frames from the moment in which the policy had
brought it into trouble to the hand-over. What the policy did is left out. Train on it beside the demonstrations:

    vla dagger --from data/bags --out data/corrections --map rt1
    vla train rt1 --data data/mine:0.7 data/corrections:0.3 --out runs/mine --steps 12000
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vla_training.data.bags.command import add_conversion_arguments, convert_bags
from vla_training.run.arguments import Parser

if TYPE_CHECKING:
    from vla_training.data.bags.episode import Episode

SHORTEST = 2  # frames


def corrections(episode: Episode) -> list[Episode]:
    """Return the stretches of an episode in which a person had the arm, each as an episode.

    A stretch that reaches the episode's end has its label; another has none. Raises DatasetError where there is none.
    """
    import numpy as np

    from vla_training.data.bags.episode import INTERVENTION, Episode
    from vla_training.data.lerobot.schema import DONE, SUCCESS, DatasetError

    taken = episode.columns[INTERVENTION].astype(bool)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], taken, [False]]).astype(int)))
    spans = [(first, end) for first, end in edges.reshape(-1, 2).tolist() if end - first >= SHORTEST]
    if not spans:
        raise DatasetError(f"nobody took over for {SHORTEST} frames or more; valid are bags in which somebody did")
    step_s, found = episode.duration_s / max(len(episode) - 1, 1), []
    for first, end in spans:
        columns = {name: values[first:end].copy() for name, values in episode.columns.items()}
        last = np.arange(end - first) == end - first - 1
        success = episode.success if end == len(episode) else None
        columns |= {DONE: last, SUCCESS: last & (success is True)}
        found.append(Episode(episode.text, columns, success, (end - first - 1) * step_s))
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `vla dagger --from`; returns 0, or 1 when a bag was refused."""
    parser = Parser(prog="vla dagger", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--from",
        dest="bags",
        type=Path,
        nargs="+",
        required=True,
        metavar="BAG",
        help="a bag's folder, or a folder of such folders",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the data set; made or continued")
    add_conversion_arguments(parser)
    return convert_bags(parser.parse_args(argv), corrections)
