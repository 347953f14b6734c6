# SPDX-License-Identifier: Apache-2.0
"""A training command around the loop: the folder of the run, its record, the device, and an orderly stop."""

from __future__ import annotations

import argparse
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vla_training.run.errors import TrainingError
from vla_training.run.run_log import TRAIN_LOG, VALIDATION_LOG, read
from vla_training.run.run_record import RECORD, read_record

if TYPE_CHECKING:
    from vla_training.run.loop import TrainingLoop

CHECKPOINT = "checkpoint"  # folder of the exported weights, in the folder of the run
INTERRUPTED = 130  # exit status


def begin(arguments: argparse.Namespace, facts: Mapping[str, Any]) -> None:
    """Make the folder of a run, or check that it holds one of the same kind.

    Args:
        arguments: `out`, `resume` and `fresh` of `add_run_arguments`.
        facts: what a run that continues must have begun with, by its name in the record.

    Raises:
        TrainingError: nothing to resume, or another kind of run.
    """
    from vla_training.run.train_state import STATE_FILE

    folder: Path = arguments.out
    state = folder / STATE_FILE
    if arguments.resume and not state.exists():
        raise TrainingError(f"nothing to resume in {folder}: {STATE_FILE} is missing; leave --resume out to begin")
    if arguments.fresh:
        for name in (STATE_FILE, RECORD, TRAIN_LOG, VALIDATION_LOG, f"{CHECKPOINT}/card.json"):
            (folder / name).unlink(missing_ok=True)
    elif state.exists() and (before := read_record(folder)):
        for key in set(facts) & set(before):
            if before[key] != facts[key]:
                raise TrainingError(
                    f"{folder} holds a run with {key} {before[key]!r}, not {facts[key]!r}; "
                    "--fresh replaces it, or use another --out"
                )
    folder.mkdir(parents=True, exist_ok=True)


def resume(trainer: TrainingLoop, about: str) -> bool:
    """Continue the run in its folder if there is one; return whether steps are left. `about` is printed."""
    begins = f"continues at step {trainer.step}" if trainer.resume() else "begins"
    say(f"{trainer.folder}: {begins}; {about}")
    if trainer.step >= trainer.settings.steps:
        say(f"nothing to do: step {trainer.step} is reached; a larger --steps continues")
    return trainer.step < trainer.settings.steps


def train(trainer: TrainingLoop, on_checkpoint: Callable[[dict[str, float]], None]) -> int:
    """Train to the end, or to the step at which Ctrl-C comes; return the exit status.

    `on_checkpoint` gets the latest figures on held-out data after each checkpoint.
    """
    with stop_flag() as stopped:
        trainer.run(say, stopped, lambda: on_checkpoint((read(trainer.folder / VALIDATION_LOG) or [{}])[-1]))
    if trainer.step < trainer.settings.steps:
        say(f"stopped and saved at step {trainer.step}; the same command continues")
        return INTERRUPTED
    say(f"done: {trainer.folder / CHECKPOINT}")
    return 0


def chosen_device(name: str) -> str:
    """Return the device of that name; auto: a GPU where there is one. Raises TrainingError with the valid names."""
    import torch

    valid = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    if name != "auto" and name not in valid:
        raise TrainingError(f"device {name!r} is not there; valid here: auto, {', '.join(valid)}")
    return valid[-1] if name == "auto" else name


@contextmanager
def stop_flag() -> Iterator[Callable[[], bool]]:
    """Yield a flag that the first SIGINT or SIGTERM sets; a second one has its usual effect."""
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
