# SPDX-License-Identifier: Apache-2.0
"""`vla dagger`: episodes in which a trained policy acts in the simulator, for the expert to label afterwards.

With --from BAG… instead: what people did when they took over (`vla dagger --from BAG --help`).

DAgger (Ross, Gordon, Bagnell 2011): training also on the states that the learner itself reaches. The folder is a data
set like that of `vla data`: give both to `vla train rt1` or `rt2`. The same command continues where it stopped.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from vla_policy.policy import PolicyConfig
from vla_policy.registry import create as create_policy
from vla_sim.task.task import Task
from vla_sim.world.robots import get_robot

from vla_training.data.bags import corrections
from vla_training.data.collect import Collector, CollectSettings
from vla_training.data.command import (
    add_common_arguments,
    add_variation_arguments,
    check_families,
    missing_seeds,
    varied,
    write_episodes,
)
from vla_training.data.language import training_sentences
from vla_training.data.lerobot.writer import DatasetWriter
from vla_training.data.record import EpisodeRecord
from vla_training.run.arguments import Parser, share
from vla_training.run.parallel import run_in_order
from vla_training.run.progress import Progress


def random_wording(task: Task, rng: np.random.Generator) -> str:
    """One of the training sentences for the task."""
    return str(rng.choice(training_sentences(task)))


@dataclass(frozen=True, slots=True)
class LearnerSettings:
    """Which policy acts, and at which share of the steps; the expert acts at the others."""

    policy: PolicyConfig
    share: float = 0.9
    name: str = "rt1"


class LearnerWorker:
    """Episodes with the learner in one process; a Worker."""

    def __init__(self, settings: CollectSettings, learner: LearnerSettings) -> None:
        self._policy = create_policy(learner.name, learner.policy)
        self._share = learner.share
        self._collector = Collector(settings)

    def run(self, item: int) -> EpisodeRecord:
        """The episode of seed `item`."""
        return self._collector.episode(item, self._policy, self._share, random_wording)

    def close(self) -> None:
        """Free policy and renderer."""
        self._policy.close()
        self._collector.close()


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `vla dagger`; returns the exit status."""
    words = sys.argv[1:] if argv is None else list(argv)
    if any(word.split("=")[0] == "--from" for word in words):
        return corrections.main(words)
    arguments = _parser().parse_args(words)
    families, robot = check_families(arguments.families), get_robot(arguments.robot).name
    config = PolicyConfig(checkpoint=arguments.checkpoint, robot=robot, threads=1)
    learner = LearnerSettings(config, arguments.learner_share, arguments.policy)
    policy = create_policy(learner.name, learner.policy)  # here, so that a refusal comes before any process starts
    settings = CollectSettings(robot, policy.image_size or CollectSettings().image_size, families)
    settings = replace(settings, **varied(arguments))
    policy.close()
    with DatasetWriter(arguments.out, robot, variation=settings.tables) as writer:
        seeds = missing_seeds(writer, arguments.seed, arguments.episodes)
        print(f"{arguments.out}: {len(writer)} episodes are there, {len(seeds)} are to be made", flush=True)
        progress = Progress(len(writer) + len(seeds), writer.outcomes)
        records = run_in_order(partial(LearnerWorker, settings, learner), seeds, arguments.workers)
        with closing(records):
            write_episodes(writer, records, seeds, progress)
        print(f"{arguments.out}: {progress.line()}" if seeds else f"{arguments.out}: nothing to do")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="vla dagger", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--policy", default="rt1", help="of the learner: rt1 (default) or rt2")
    parser.add_argument("--checkpoint", required=True, help="the learner: a folder, or the name of a shipped one")
    add_common_arguments(parser, episodes=100, seed=1_000_000)
    add_variation_arguments(parser)
    parser.add_argument(
        "--learner-share", type=share, default=0.9, help="share of steps at which the learner acts (default 0.9)"
    )
    return parser
