# SPDX-License-Identifier: Apache-2.0
"""`vla dagger`: episodes in which a trained policy acts, for the expert to label afterwards.

DAgger (Ross, Gordon, Bagnell 2011): training also on the states that the learner itself reaches.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from vla_policy.policy import PolicyConfig
from vla_policy.registry import create as create_policy
from vla_sim.task import Task

from vla_training.collect import Collector, CollectSettings
from vla_training.language import training_sentences
from vla_training.lerobot_format import DatasetWriter


def random_wording(task: Task, rng: np.random.Generator) -> str:
    """One of the training sentences for the task."""
    return str(rng.choice(training_sentences(task)))


def main(argv: Sequence[str]) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="vla dagger", description=__doc__)
    parser.add_argument("--checkpoint", required=True, help="folder of the learner")
    parser.add_argument("--robot", default="fr3")
    parser.add_argument("--episodes", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1_000_000, help="first episode's seed")
    parser.add_argument("--learner-share", type=float, default=0.9, help="share of steps at which the learner acts")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args(argv)
    learner = create_policy("rt1", PolicyConfig(checkpoint=arguments.checkpoint, robot=arguments.robot, threads=1))
    collector = Collector(CollectSettings(robot=arguments.robot))
    done = 0
    with DatasetWriter(arguments.out, arguments.robot) as writer:
        for index in range(arguments.episodes):
            record = collector.episode(arguments.seed + index, learner, arguments.learner_share, random_wording)
            writer.add(record)
            done += record.success
            print(f"{index + 1}/{arguments.episodes} success so far {100 * done / (index + 1):.0f} %", flush=True)
    collector.close()
    return 0
