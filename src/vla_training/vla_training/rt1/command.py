# SPDX-License-Identifier: Apache-2.0
"""`vla train rt1`: trains RT-1 on folders of `vla data` and `vla dagger`.

RUN gets checkpoint/ (weights, action space, model card), train.csv, validation.csv, learning_curve.png and the state
from which the same command goes on. More --steps or further --data folders continue a finished run.
"""

from __future__ import annotations

import argparse
import shlex
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vla_training.run.arguments import Parser, natural, positive
from vla_training.run.errors import TrainingError
from vla_training.run.run_log import TRAIN_LOG, VALIDATION_LOG, read
from vla_training.run.run_record import RECORD, read_record, write_record

if TYPE_CHECKING:
    from vla_policy.rt1.config import RT1Config

    from vla_training.rt1.trainer import Trainer
    from vla_training.rt1.training_set import TrainingSet

INTERRUPTED = 130  # exit status


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `vla train rt1`; returns the exit status."""
    arguments = _parser().parse_args(argv)
    import torch  # seconds, so not before the arguments are known to be good

    from vla_training.rt1.settings import TrainSettings, training_config
    from vla_training.rt1.training_set import load_training_set, open_datasets

    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    config, device = training_config(arguments.config), chosen_device(arguments.device)
    sources = open_datasets(arguments.data, config)
    _begin(arguments, config, sources[0].robot)
    data = load_training_set(sources, config, say)
    settings = TrainSettings(
        steps=arguments.steps,
        batch=arguments.batch,
        seed=arguments.seed,
        report_every=arguments.report_every,
        validate_every=arguments.validate_every,
    )
    trainer = _trainer(config, data, settings, arguments.out, device)
    if trainer.step >= settings.steps:
        say(f"nothing to do: step {trainer.step} of {settings.steps} is reached; a larger --steps continues")
        return 0
    record = _remember(arguments.out, config, data, "vla train rt1 " + shlex.join(argv or ()))
    return _train(trainer, record)


def _train(trainer: Trainer, record: dict[str, Any]) -> int:
    """Train with a picture and a card at each checkpoint; Ctrl-C ends it after the step that it is at."""
    from vla_training.rt1.card import write_training
    from vla_training.rt1.trainer import CHECKPOINT
    from vla_training.run.learning_curve import draw

    def on_checkpoint() -> None:
        figures = (read(trainer.folder / VALIDATION_LOG) or [{}])[-1]
        facts = record | {"steps": trainer.step, "batch": trainer.settings.batch, "seed": trainer.settings.seed}
        write_training(trainer.folder / CHECKPOINT, facts | {"validation": figures})
        if read(trainer.folder / TRAIN_LOG):
            draw(trainer.folder)

    with stop_flag() as stopped:
        trainer.run(say, stopped, on_checkpoint)
    if trainer.step < trainer.settings.steps:
        say(f"stopped and saved at step {trainer.step}; the same command goes on from here")
        return INTERRUPTED
    say(f"done: {trainer.folder / CHECKPOINT}")
    return 0


def _trainer(config: RT1Config, data: TrainingSet, settings: Any, folder: Path, device: str) -> Trainer:
    from vla_training.rt1.trainer import Trainer

    trainer = Trainer(config, data.table, data.features, settings, folder, data.robot, device)
    resumed = trainer.resume()
    begins = f"goes on at step {trainer.step}" if resumed else "begins"
    say(f"{folder}: {begins}; {len(data.table)} frames of {data.robot}, on {device}")
    return trainer


def _begin(arguments: argparse.Namespace, config: RT1Config, robot: str) -> None:
    """Make the folder, or check that it holds the same kind of run. Raises TrainingError."""
    from vla_training.rt1.trainer import CHECKPOINT
    from vla_training.run.train_state import STATE_FILE

    folder: Path = arguments.out
    state = folder / STATE_FILE
    if arguments.resume and not state.exists():
        raise TrainingError(f"nothing to resume in {folder}: {STATE_FILE} is missing; leave --resume out to begin")
    if arguments.fresh:
        for name in (STATE_FILE, RECORD, TRAIN_LOG, VALIDATION_LOG, f"{CHECKPOINT}/card.json"):
            (folder / name).unlink(missing_ok=True)
    elif state.exists() and (before := read_record(folder)):
        for key, now in (("network", config.to_json()), ("robot", robot)):
            if before.get(key) != now:
                raise TrainingError(
                    f"{folder} holds a run with another {key}; --fresh replaces it, or use another --out"
                )
    folder.mkdir(parents=True, exist_ok=True)


def _remember(folder: Path, config: RT1Config, data: TrainingSet, command: str) -> dict[str, Any]:
    """Write down what the run is made of."""
    sources = [{"folder": str(s.folder), "episodes": len(s.rows), "frames": s.frames} for s in data.sources]
    return write_record(folder, {"robot": data.robot, "network": config.to_json(), "data": sources}, command)


def chosen_device(name: str) -> str:
    """The device of that name; auto: a GPU where there is one. Raises TrainingError that lists the valid ones."""
    import torch

    valid = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    if name != "auto" and name not in valid:
        raise TrainingError(f"device {name!r} is not there; valid here: auto, {', '.join(valid)}")
    return valid[-1] if name == "auto" else name


@contextmanager
def stop_flag() -> Iterator[Callable[[], bool]]:
    """The first SIGINT or SIGTERM sets the flag; a second one does what it did before."""
    asked = False
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def ask(number: int, frame: object) -> None:
        nonlocal asked
        asked = True
        signal.signal(number, before[signal.Signals(number)])

    for number in before:
        signal.signal(number, ask)
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def say(text: str) -> None:
    """Print a line with the time of day."""
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="vla train rt1", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, nargs="+", required=True, metavar="DIR", help="data sets of one robot")
    parser.add_argument("--out", type=Path, required=True, metavar="RUN", help="folder of the run")
    parser.add_argument("--config", default="lite", choices=["lite", "b3"], help="network (default lite)")
    parser.add_argument("--steps", type=positive, default=10_000, help="updates in all (default 10000)")
    parser.add_argument("--batch", type=positive, default=96, help="frames an update (default 96)")
    parser.add_argument("--seed", type=natural, default=0)
    parser.add_argument("--device", default="auto", help="auto (default), cpu or cuda")
    parser.add_argument("--threads", type=natural, default=0, help="of the network library; 0 leaves its choice")
    parser.add_argument("--report-every", type=positive, default=50, metavar="STEPS")
    parser.add_argument("--validate-every", type=positive, default=500, metavar="STEPS")
    existing = parser.add_mutually_exclusive_group()
    existing.add_argument("--resume", action="store_true", help="refuse to begin where nothing is to be resumed")
    existing.add_argument("--fresh", action="store_true", help="forget what RUN holds (default: go on with it)")
    return parser
