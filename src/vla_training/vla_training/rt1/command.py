# SPDX-License-Identifier: Apache-2.0
"""`vla train rt1`: trains RT-1 on the recorded actions of any LeRobot data sets.

A set is a folder of v3.0 or v2.1, or OWNER/NAME of the Hugging Face hub; SET:WEIGHT says how often it is drawn. An
observation map tells what its columns are: --map, or the one that the set carries; else --action and others below.
--labels expert ignores recorded actions and asks the simulator's expert: for sets of `vla data` and `vla dagger`.

RUN gets checkpoint/ (weights, action space, model card), train.csv, validation.csv, learning_curve.png and the state
from which the same command continues. More --steps or further --data folders continue a finished run.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vla_training.data.recorded.words import add_recorded_arguments
from vla_training.run.arguments import Parser, add_run_arguments, positive
from vla_training.run.run_log import TRAIN_LOG, read
from vla_training.run.run_record import write_record
from vla_training.run.session import CHECKPOINT, begin, chosen_device, resume, say, train

if TYPE_CHECKING:
    from torch import Tensor
    from vla_policy.action.space import ActionSpace
    from vla_policy.rt1.config import RT1Config

    from vla_training.rt1.recorded import RecordedTrainer
    from vla_training.rt1.settings import TrainSettings
    from vla_training.rt1.trainer import Trainer


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `vla train rt1`; returns the exit status."""
    arguments = _parser().parse_args(argv)
    import torch  # seconds, so not before the arguments are known to be good

    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    command = "vla train rt1 " + shlex.join(argv or ())
    return (_train_expert if arguments.labels == "expert" else _train_recorded)(arguments, command)


def _train_expert(arguments: argparse.Namespace, command: str) -> int:
    from vla_training.data.recorded.loading import only_folders
    from vla_training.rt1.settings import training_config
    from vla_training.rt1.trainer import Trainer
    from vla_training.rt1.training_set import load_training_set, open_datasets
    from vla_training.run.train_state import STATE_FILE

    config, device = training_config(arguments.config), chosen_device(arguments.device)
    sources = open_datasets(only_folders(arguments.data), config)
    facts = {"labels": "expert", "network": config.to_json(), "robot": sources[0].robot}
    begin(arguments, facts)
    data = load_training_set(sources, config, say)
    settings = _settings(arguments)
    trainer = Trainer(config, data.table, data.features, settings, arguments.out, data.robot, device)
    if arguments.start and not (arguments.out / STATE_FILE).exists():
        trainer.start_from(weights_of(arguments.start, data.robot, config))
    if not resume(trainer, f"{len(data.table)} frames of {data.robot}, on {device}"):
        return 0
    rows = [
        {"folder": str(s.folder), "episodes": len(s.rows), "frames": s.frames}
        | ({"variation": s.variation} if s.variation else {})
        for s in data.sources
    ]
    record = write_record(arguments.out, {**facts, "data": rows}, command)
    return train(trainer, lambda figures: _describe(trainer, record, figures))


def _train_recorded(arguments: argparse.Namespace, command: str) -> int:
    from vla_policy.rt1.config import named_config
    from vla_policy.rt1.network import RT1Network

    from vla_training.data.recorded.loading import load_recorded
    from vla_training.rt1.feature_cache import JoinedRows, frozen_part
    from vla_training.rt1.recorded import RecordedTrainer, recorded_config

    device = chosen_device(arguments.device)
    before = _space_before(arguments)
    data = load_recorded(arguments, named_config(arguments.config).image_size, before, say)
    config = recorded_config(arguments.config, data)
    facts = {"labels": "recorded", "network": config.to_json(), "robot": data.robot}
    begin(arguments, facts)
    transform, dtype, key, early = frozen_part(RT1Network(config).eval())
    features = JoinedRows(data.rows(arguments.out, transform, dtype, key, say), early)
    trainer = RecordedTrainer(config, data, features, _settings(arguments), arguments.out, device)
    about = f"{len(data.table)} frames, {len(data.table.texts)} tasks, {len(config.proprio)} columns of state"
    if not resume(trainer, f"{about}, {config.action_dims} of action, on {device}"):
        return 0
    record = write_record(arguments.out, {**facts, "data": data.sources}, command)
    return train(trainer, lambda figures: _describe(trainer, record, figures))


def _space_before(arguments: argparse.Namespace) -> ActionSpace | None:
    """The action space of the run that continues, which keeps its ranges whatever data are added."""
    from vla_policy.action.space import ActionSpace
    from vla_policy.rt1.checkpoint import CONFIG_FILE, read_info

    from vla_training.run.train_state import STATE_FILE

    folder: Path = arguments.out
    if arguments.fresh or not (folder / STATE_FILE).exists() or not (folder / CHECKPOINT / CONFIG_FILE).exists():
        return None
    return ActionSpace.from_dict(read_info(folder / CHECKPOINT).action_space)


def weights_of(name: str, robot: str, config: RT1Config) -> dict[str, Tensor]:
    """Return the weights of a checkpoint. Raises CheckpointError; TrainingError for another network."""
    from vla_policy.rt1.checkpoint import find_checkpoint, load_checkpoint

    from vla_training.run.errors import TrainingError

    checkpoint = load_checkpoint(find_checkpoint(name, robot), robot)
    if checkpoint.info.network != config:
        raise TrainingError(f"--from {name}: its network is {checkpoint.info.network}, valid is {config}")
    return dict(checkpoint.network.state_dict())


def _settings(arguments: argparse.Namespace) -> TrainSettings:
    from vla_training.rt1.settings import TrainSettings

    return TrainSettings(
        steps=arguments.steps,
        batch=arguments.batch,
        seed=arguments.seed,
        warmup=min(TrainSettings().warmup, max(1, arguments.steps // 5)),
        report_every=arguments.report_every,
        validate_every=arguments.validate_every,
    )


def _describe(trainer: Trainer | RecordedTrainer, record: dict[str, Any], figures: dict[str, float]) -> None:
    """Write the model card of a checkpoint, and draw the learning curve."""
    from vla_training.rt1.card import write_training
    from vla_training.run.learning_curve import draw

    facts = record | {"steps": trainer.step, "batch": trainer.settings.batch, "seed": trainer.settings.seed}
    write_training(trainer.folder / CHECKPOINT, facts | {"validation": figures})
    if read(trainer.folder / TRAIN_LOG):
        draw(trainer.folder)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="vla train rt1", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", required=True, metavar="SET[:WEIGHT]", help="data sets")
    parser.add_argument("--out", type=Path, required=True, metavar="RUN", help="folder of the run")
    parser.add_argument(
        "--from", dest="start", default="", metavar="CHECKPOINT", help="begin with these weights (with --labels expert)"
    )
    parser.add_argument("--config", default="lite", choices=["lite", "b3"], help="network (default lite)")
    parser.add_argument("--steps", type=positive, default=10_000, help="updates in all (default 10000)")
    parser.add_argument("--batch", type=positive, default=96, help="frames an update (default 96)")
    add_run_arguments(parser, report_every=50, validate_every=500)
    add_recorded_arguments(parser)
    return parser
