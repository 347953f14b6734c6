# SPDX-License-Identifier: Apache-2.0
"""`vla data`, `vla train rt1` and so on: finds the command's module and imports nothing else."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from types import FrameType, ModuleType
from typing import NoReturn


@dataclass(frozen=True, slots=True)
class Command:
    """A module, by its full name, that has `main(argv) -> exit status`.

    `resumes`: the same command continues where it ended.
    """

    module: str
    summary: str
    resumes: bool = False

    def load(self) -> ModuleType:
        """The module."""
        return import_module(self.module)


COMMANDS = {
    "data": Command(
        "vla_training.data.command", "demonstrations by the scripted expert, as a LeRobot data set", resumes=True
    ),
    "data convert": Command("vla_training.data.bags.command", "recorded episodes as a LeRobot data set", resumes=True),
    "data check": Command("vla_training.data.lerobot.check", "any LeRobot data set: what it holds, what is faulty"),
    "data info": Command("vla_training.data.tools.about", "any LeRobot data set: what it holds"),
    "data view": Command("vla_training.data.tools.view", "any LeRobot data set as a contact sheet"),
    "data merge": Command("vla_training.data.tools.merge", "several LeRobot data sets as one"),
    "data split": Command("vla_training.data.tools.split", "parts of a LeRobot data set"),
    "replay": Command("vla_training.data.bags.replay", "a recorded episode as chunks for policy:=replay"),
    "train rt1": Command("vla_training.rt1.command", "train RT-1 on data sets", resumes=True),
    "train rt2": Command("vla_training.rt2.command", "co-fine-tune a vision-language model", resumes=True),
    "dagger": Command(
        "vla_training.data.dagger", "corrections: by the expert in the simulator, or by people, from bags", resumes=True
    ),
    "eval questions": Command("vla_training.evaluate.questions", "what a policy answers about fresh scenes"),
    "eval tables": Command(
        "vla_training.evaluate.tables.command", "success in the categories of the RT-1 and RT-2 papers", resumes=True
    ),
    "eval goals": Command(
        "vla_training.evaluate.goals.command", "goals of several steps: planner, policy and sight, closed loop"
    ),
    "eval scene": Command("vla_training.scene.evaluate", "how exactly the scene network places objects"),
    "train scene": Command("vla_training.scene.command", "train the network that perceives the table"),
    "eval": Command("vla_training.evaluate.command", "closed-loop success of a policy in lockstep simulation"),
    "convert rt1": Command("vla_training.convert.command", "Google's released RT-1 as a checkpoint of this project"),
    "card": Command("vla_training.rt1.card", "put measured success into a checkpoint's model card"),
    "plot": Command("vla_training.run.learning_curve", "learning curve of a training run as a picture"),
    "bench controller": Command("vla_controller.bench.command", "the controller's limits, seams and tick times"),
    "bench data": Command(
        "vla_training.bench.data.command", "success over the number of recorded episodes", resumes=True
    ),
    "bench rt1": Command("vla_training.bench.rt1", "time of one RT-1 action, by what saves it"),
    "bench remote": Command("vla_training.bench.remote.command", "policies across the network, against in process"),
    "bench variation": Command("vla_training.bench.variation", "what a varied table costs and looks like, by axis"),
    "bench rt2": Command("vla_training.bench.rt2.command", "legality and time of RT-2 actions, against generate"),
}
REFUSED, FAILED = 2, 1  # exit statuses


class Stopped(KeyboardInterrupt):
    """SIGINT or SIGTERM came."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status: 0 done, 1 failed, 2 refused, 130 stopped by Ctrl-C."""
    words = list(sys.argv[1:] if argv is None else argv)
    name = _find(words)
    if name is None:
        return _help_or_refuse(words)
    command = COMMANDS[name]
    with _signals_raise():
        try:
            return int(command.load().main(words[len(name.split()) :]) or 0)
        except Stopped as stop:
            note = "; the same command continues from here" if command.resumes else ""
            print(f"\nvla {name}: stopped{note}", file=sys.stderr)
            return 128 + stop.number
        except Exception as error:
            if (status := _status_of(error)) is None:
                raise
            print(f"vla {name}: {' '.join(str(error).split())[:600]}", file=sys.stderr)
            return status


def _find(words: Sequence[str]) -> str | None:
    """The command that the first one or two words name."""
    return next((name for name in (" ".join(words[:2]), " ".join(words[:1])) if name in COMMANDS), None)


def _help_or_refuse(words: Sequence[str]) -> int:
    first = words[0] if words else "--help"
    group = {name: command for name, command in COMMANDS.items() if name.split()[0] == first}
    asked = first if not group else next(iter(words[1:]), "--help")
    if asked in ("-h", "--help"):
        print("usage: vla COMMAND [ARGUMENT...]; `vla COMMAND --help` explains one\n")
        print("\n".join(f"  {name:10} {command.summary}" for name, command in (group or COMMANDS).items()))
        return 0
    said = f"vla {first}: {asked!r}" if group else f"vla: {asked!r}"
    valid = ", ".join(name.split()[-1] if group else name for name in group or COMMANDS)
    print(f"{said} is unknown; valid: {valid}", file=sys.stderr)
    return REFUSED


def _status_of(error: Exception) -> int | None:
    """The exit status for an error whose message is meant for the user; None for a fault of the program."""
    from vla_core.observation_map.errors import ObservationMapError
    from vla_perception.scene.detector import SceneWeightsError
    from vla_planner.errors import PlannerError
    from vla_policy.errors import PolicyError
    from vla_sim.task.task import TaskError
    from vla_sim.variation.axes import VariationError
    from vla_sim.world.robots import UnknownRobotError

    from vla_training.run.errors import TrainingError

    refused = (
        ObservationMapError,
        PlannerError,
        PolicyError,
        SceneWeightsError,
        TaskError,
        TrainingError,
        UnknownRobotError,
        VariationError,
    )
    if isinstance(error, refused):
        return REFUSED
    return FAILED if isinstance(error, OSError) else None


@contextmanager
def _signals_raise() -> Iterator[None]:
    """SIGINT and SIGTERM raise Stopped, also in a background process, for which shells ignore SIGINT."""
    numbers = (signal.SIGINT, signal.SIGTERM) if threading.current_thread() is threading.main_thread() else ()
    before = {number: signal.signal(number, _stop) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    raise Stopped(number)
