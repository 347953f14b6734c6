# SPDX-License-Identifier: Apache-2.0
"""`vla data`: demonstrations by the scripted expert, as a LeRobotDataset v3.0 folder.

The same command continues where it stopped: episodes whose seed the folder holds are not made again.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vla_training.run.arguments import CORES, Parser, add_vary, natural, positive
from vla_training.run.errors import TrainingError

if TYPE_CHECKING:
    from vla_training.data.lerobot.writer import DatasetWriter
    from vla_training.data.record import EpisodeRecord
    from vla_training.run.progress import Progress


def add_common_arguments(parser: argparse.ArgumentParser, episodes: int, seed: int) -> None:
    """What `vla data` and `vla dagger` share; `episodes` and `seed` are the defaults."""
    parser.add_argument("--out", type=Path, required=True, help="folder of the data set; made or continued")
    parser.add_argument("--robot", default="fr3", help="fr3 (default) or wx250s")
    parser.add_argument("--episodes", type=positive, default=episodes, help=f"how many (default {episodes})")
    parser.add_argument("--seed", type=natural, default=seed, help=f"seed of the first episode (default {seed})")
    parser.add_argument("--workers", type=positive, default=CORES, help=f"processes (default {CORES})")
    parser.add_argument(
        "--families",
        nargs="+",
        metavar="FAMILY",
        default=["pick", "place", "near", "push"],
        help="task families; one that is named twice comes twice as often (default: pick place near push)",
    )


def add_variation_arguments(parser: argparse.ArgumentParser) -> None:
    """What makes tables vary, for `vla data` and `vla dagger`."""
    add_vary(parser)
    parser.add_argument(
        "--things", type=natural, default=0, metavar="N", help="up to N unknown things on a table (default 0)"
    )


def varied(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return `variation` and `things` of CollectSettings. Raises VariationError, also for what is held out."""
    from vla_sim.variation.variation import check_trained, parse_variation

    return {"variation": check_trained(parse_variation(arguments.vary)), "things": arguments.things}


def check_families(families: Sequence[str]) -> tuple[str, ...]:
    """The families as a tuple. Raises TrainingError for an unknown one."""
    from vla_sim.task.task import FAMILIES

    unknown = [family for family in families if family not in FAMILIES]
    if unknown:
        raise TrainingError(f"unknown family {unknown[0]!r}; valid: {', '.join(FAMILIES)}")
    return tuple(families)


def missing_seeds(writer: DatasetWriter, first: int, count: int) -> list[int]:
    """The seeds from `first` on that the folder does not hold yet."""
    there = writer.seeds
    return [seed for seed in range(first, first + count) if seed not in there]


def write_episodes(
    writer: DatasetWriter, records: Iterator[EpisodeRecord], seeds: Sequence[int], progress: Progress
) -> None:
    """Append each record as it comes. What has come is written also when this is interrupted."""
    with closing(progress):
        for seed, record in zip(seeds, records, strict=True):
            writer.add(record, seed)
            progress.add(record.task.family, record.success)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `vla data`; returns the exit status."""
    arguments = _parser().parse_args(argv)
    from vla_sim.world.robots import get_robot

    from vla_training.data.collect import CollectSettings, collect
    from vla_training.data.lerobot.writer import DatasetWriter
    from vla_training.run.progress import Progress

    settings = CollectSettings(get_robot(arguments.robot).name, families=check_families(arguments.families))
    settings = dataclasses.replace(settings, **varied(arguments))
    if arguments.image_size:
        settings = dataclasses.replace(settings, image_size=tuple(arguments.image_size))
    with DatasetWriter(arguments.out, arguments.robot, variation=settings.tables) as writer:
        seeds = missing_seeds(writer, arguments.seed, arguments.episodes)
        print(f"{arguments.out}: {len(writer)} episodes are there, {len(seeds)} are to be made", flush=True)
        progress = Progress(len(writer) + len(seeds), writer.outcomes)
        records = collect(settings, seeds, arguments.workers)
        with closing(records):
            write_episodes(writer, records, seeds, progress)
        print(f"{arguments.out}: {progress.line()}" if seeds else f"{arguments.out}: nothing to do")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="vla data", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_common_arguments(parser, episodes=1000, seed=0)
    add_variation_arguments(parser)
    parser.add_argument(
        "--image-size",
        type=positive,
        nargs=2,
        metavar=("HEIGHT", "WIDTH"),
        help="pictures [px] (default 128 160, which `vla train rt1 --config lite` takes; b3 takes 300 300)",
    )
    return parser
