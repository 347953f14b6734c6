# SPDX-License-Identifier: Apache-2.0
"""`vla train rt1`: trains RT-1 on folders of `vla data` and `vla dagger`.

RUN gets checkpoint/ (weights, action space, model card), train.csv, validation.csv, learning_curve.png and the state
from which the same command continues. More --steps or further --data folders continue a finished run.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vla_training.run.arguments import Parser, add_run_arguments, positive
from vla_training.run.run_log import TRAIN_LOG, read
from vla_training.run.run_record import write_record
from vla_training.run.session import CHECKPOINT, begin, chosen_device, resume, say, train

if TYPE_CHECKING:
    from vla_policy.rt1.config import RT1Config

    from vla_training.rt1.trainer import Trainer
    from vla_training.rt1.training_set import TrainingSet


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `vla train rt1`; returns the exit status."""
    arguments = _parser().parse_args(argv)
    import torch  # seconds, so not before the arguments are known to be good

    from vla_training.rt1.settings import TrainSettings, training_config
    from vla_training.rt1.trainer import Trainer
    from vla_training.rt1.training_set import load_training_set, open_datasets

    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    config, device = training_config(arguments.config), chosen_device(arguments.device)
    sources = open_datasets(arguments.data, config)
    begin(arguments, {"network": config.to_json(), "robot": sources[0].robot})
    data = load_training_set(sources, config, say)
    settings = TrainSettings(
        steps=arguments.steps,
        batch=arguments.batch,
        seed=arguments.seed,
        report_every=arguments.report_every,
        validate_every=arguments.validate_every,
    )
    trainer = Trainer(config, data.table, data.features, settings, arguments.out, data.robot, device)
    if not resume(trainer, f"{len(data.table)} frames of {data.robot}, on {device}"):
        return 0
    record = _remember(arguments.out, config, data, "vla train rt1 " + shlex.join(argv or ()))
    return train(trainer, lambda figures: _describe(trainer, record, figures))


def _describe(trainer: Trainer, record: dict[str, Any], figures: dict[str, float]) -> None:
    """Write the model card of a checkpoint, and draw the learning curve."""
    from vla_training.rt1.card import write_training
    from vla_training.run.learning_curve import draw

    facts = record | {"steps": trainer.step, "batch": trainer.settings.batch, "seed": trainer.settings.seed}
    write_training(trainer.folder / CHECKPOINT, facts | {"validation": figures})
    if read(trainer.folder / TRAIN_LOG):
        draw(trainer.folder)


def _remember(folder: Path, config: RT1Config, data: TrainingSet, command: str) -> dict[str, Any]:
    """Write down what the run is made of."""
    sources = [{"folder": str(s.folder), "episodes": len(s.rows), "frames": s.frames} for s in data.sources]
    return write_record(folder, {"robot": data.robot, "network": config.to_json(), "data": sources}, command)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="vla train rt1", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, nargs="+", required=True, metavar="DIR", help="data sets of one robot")
    parser.add_argument("--out", type=Path, required=True, metavar="RUN", help="folder of the run")
    parser.add_argument("--config", default="lite", choices=["lite", "b3"], help="network (default lite)")
    parser.add_argument("--steps", type=positive, default=10_000, help="updates in all (default 10000)")
    parser.add_argument("--batch", type=positive, default=96, help="frames an update (default 96)")
    add_run_arguments(parser, report_every=50, validate_every=500)
    return parser
