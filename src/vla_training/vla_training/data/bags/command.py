# SPDX-License-Identifier: Apache-2.0
"""`vla data convert`: recorded episodes (bags) to a LeRobotDataset v3.0 folder, by an observation map.

Cameras become observation.images.NAME, fitted as the map says; observation.state and action have the map's columns.
The action of a frame is what the controller commanded one step later. Bags that the folder holds are passed over.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from vla_training.run.arguments import Parser
from vla_training.run.errors import TrainingError

if TYPE_CHECKING:
    from vla_core.observation_map.observation_map import ObservationMap
    from vla_core.robot import RobotConfig
    from vla_recorder.bag.reader import Bag

    from vla_training.data.bags.episode import Episode


Kept = Callable[["Episode"], "list[Episode]"]


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `vla data convert`; returns 0, or 1 when a bag was refused."""
    parser = Parser(prog="vla data convert", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bags", type=Path, nargs="+", metavar="BAG", help="a bag's folder, or a folder of such folders")
    parser.add_argument("--out", type=Path, required=True, help="folder of the data set; made or continued")
    add_conversion_arguments(parser)
    return convert_bags(parser.parse_args(argv))


def convert_bags(options: argparse.Namespace, kept: Kept | None = None) -> int:
    """Convert `options.bags` to the set `options.out`; return 0, or 1 when a bag was refused.

    kept: what becomes of each bag's episode, by default that episode alone; it may raise DatasetError.
    """
    from vla_recorder.bag.reader import find_bags, open_bag
    from vla_recorder.errors import RecordingError

    from vla_training.data.bags.dataset import RecordedWriter
    from vla_training.data.bags.episode import convert
    from vla_training.data.lerobot.schema import DatasetError

    try:
        folders = [folder for path in options.bags for folder in find_bags(path)]
        text, observation_map, robot = _choose(options, [open_bag(folder) for folder in folders[:1]])
    except RecordingError as error:
        raise TrainingError(str(error)) from error
    fps = round(1.0 / observation_map.period_s)
    refused = 0
    with RecordedWriter(options.out, robot.robot, fps, observation_map, options.video) as writer:
        there = writer.sources
        for folder in folders:
            try:
                bag = open_bag(folder)
                source = f"{folder.name}@{bag.start_ns}"
                if source in there:
                    print(f"{folder}: is in {options.out} already")
                    continue
                episode = convert(bag, observation_map, robot, fps, options.max_gap)
                for each in kept(episode) if kept is not None else [episode]:
                    writer.add(each, source, text)
                    print(f"{folder}: {report(each)}", flush=True)
            except (DatasetError, RecordingError) as error:
                refused += 1
                print(f"{folder}: refused: {error}", file=sys.stderr, flush=True)
        count = len(writer)
    print(f"{options.out}: {count} episodes at {fps} Hz" + (f"; {refused} bags refused" if refused else ""))
    return 1 if refused else 0


def report(episode: Episode) -> str:
    """Return an episode in one line: length, label, gaps, late and repeated frames."""
    label = {True: "success", False: "failure", None: "no label"}[episode.success]
    words = [f"{len(episode)} frames, {episode.duration_s:.1f} s, {label}, {episode.text!r}"]
    taken = int(episode.columns["intervention"].sum())
    words += [f"{taken} frames by a person"] if taken else []
    for topic, found in episode.gaps.items():
        longest = max(length for _, length in found)
        words.append(f"{topic}: {len(found)} gaps, the longest {longest:.2f} s")
    words += [f"{topic}: {count} messages late" for topic, count in episode.late.items()]
    words += [f"{topic}: {count} frames repeat an image" for topic, count in episode.repeated.items()]
    return "; ".join(words)


def _choose(options: argparse.Namespace, bags: Sequence[Bag]) -> tuple[str, ObservationMap, RobotConfig]:
    """Return the map's text, the map bound to the robot, and the robot: the options', or the first bag's own."""
    from vla_core.config_file import find_config
    from vla_core.observation_map.errors import ObservationMapError
    from vla_core.observation_map.presets import FOLDER, load_map
    from vla_core.observation_map.reading import from_dict
    from vla_core.robot import RobotConfigError, load_robot_config

    custom = bags[0].custom if bags else {}
    try:
        if options.map:
            text = find_config(FOLDER, "observation map", options.map).read_text(encoding="utf-8")
            chosen = load_map(options.map)
        elif custom.get("observation_map"):
            text = custom["observation_map"]
            chosen = from_dict(yaml.safe_load(text), custom.get("observation_map_name", "recorded"))
        else:
            raise TrainingError("the bags carry no observation map; valid: --map NAME or FILE")
        robot = load_robot_config(options.robot or custom.get("robot") or "fr3")
        return text, chosen.for_robot(robot), robot
    except (ObservationMapError, RobotConfigError, FileNotFoundError, yaml.YAMLError) as error:
        raise TrainingError(str(error)) from error


def add_conversion_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what says how bags become episodes."""
    parser.add_argument("--map", default="", help="observation map: name or file (default: the one in the first bag)")
    parser.add_argument("--robot", default="", help="robot (default: the first bag's own, else fr3)")
    parser.add_argument("--video", action="store_true", help="cameras as H.264 instead of PNG")
    parser.add_argument("--max-gap", type=float, default=1.0, help="[s] of silence that refuses a bag (default 1)")
