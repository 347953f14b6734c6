# SPDX-License-Identifier: Apache-2.0
"""`vla train rt2`: co-fine-tunes a vision-language model on robot data and image-text data.

Robot data are the recorded actions of any LeRobot data sets, as for `vla train rt1`. With --labels expert they are
folders of `vla data` and `vla dagger`, and image-text data also questions about the same frames with the simulator's
true answers. Any image-text sets on disk are given with --texts (a folder with metadata.jsonl, or a LLaVA .json file).
RUN gets checkpoint/ (a folder that transformers loads, with rt2.json), train.csv, validation.csv and the state from
which the same command continues.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vla_training.data.recorded.words import add_recorded_arguments
from vla_training.run.arguments import Parser, add_run_arguments, natural, positive, share
from vla_training.run.run_record import write_record
from vla_training.run.session import CHECKPOINT, begin, chosen_device, resume, say, train

if TYPE_CHECKING:
    from vla_training.data.recorded.loading import RecordedData
    from vla_training.rt2.samples.robot_data import RobotData
    from vla_training.rt2.trainer import RT2Trainer

SMALL_RECIPE = {"rate": 1e-3, "soft_bins": 3.0, "read_back": 30.0, "grounding": 0.5, "prompt": "small"}
BASE_RECIPE = {"rate": 2e-5, "soft_bins": 0.0, "read_back": 0.0, "grounding": 0.0, "prompt": "rt2"}
LORA_RATE = 5e-4
RECORDED_SIZE = (128, 160)  # (height, width) [px] of pictures, where no map says another
_KEPT = ("labels", "base", "lora", "vocabulary", "ranges", "prompt", "freeze_vision")  # by a run that continues


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `vla train rt2`; returns the exit status."""
    arguments = _parser().parse_args(argv)
    import torch  # seconds, so not before the arguments are known to be good

    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    device = chosen_device(arguments.device)
    data, trainer = (_expert if arguments.labels == "expert" else _recorded)(arguments, device)
    weights = sum(p.numel() for p in trainer.network.parameters()) / 1e6
    if not resume(trainer, f"{weights:.1f} M parameters, {len(data.table)} frames of {data.robot}, on {device}"):
        return 0
    record = _remember(arguments, data, "vla train rt2 " + shlex.join(argv or ()))
    return train(trainer, lambda figures: _describe(trainer, record, figures))


def _expert(arguments: argparse.Namespace, device: str) -> tuple[RobotData, RT2Trainer]:
    from vla_training.data.recorded.loading import only_folders
    from vla_training.rt2.assembly import assemble
    from vla_training.rt2.samples.robot_data import load_robot_data

    data = load_robot_data(only_folders(arguments.data), say)
    _begin(arguments)
    return data, assemble(arguments, recipe(arguments), data, device)


def _recorded(arguments: argparse.Namespace, device: str) -> tuple[RecordedData, RT2Trainer]:
    from vla_training.data.recorded.loading import load_recorded
    from vla_training.rt2.recorded import assemble_recorded, space_before

    data = load_recorded(arguments, RECORDED_SIZE, space_before(arguments), say)
    _begin(arguments)
    return data, assemble_recorded(arguments, recipe(arguments), data, device)


def _begin(arguments: argparse.Namespace) -> None:
    begin(arguments, {key: (vars(arguments) | recipe(arguments))[key] for key in _KEPT})


def _describe(trainer: RT2Trainer, record: dict[str, Any], figures: dict[str, float]) -> None:
    """Write the model card of a checkpoint."""
    from vla_training.rt2.card import write_training

    write_training(trainer.folder / CHECKPOINT, record | {"steps": trainer.step, "validation": figures})


def recipe(arguments: argparse.Namespace) -> dict[str, Any]:
    """What is not given on the command line, by what the run begins with."""
    from vla_training.rt2.base.bases import SMALL, recipe_of_base

    values: dict[str, Any] = SMALL_RECIPE if arguments.base == SMALL else BASE_RECIPE | recipe_of_base(arguments.base)
    if arguments.lora:
        values = values | {"rate": LORA_RATE}
    given = {key: getattr(arguments, key) for key in values}
    return values | {key: value for key, value in given.items() if value is not None}


def _remember(arguments: argparse.Namespace, data: RobotData | RecordedData, command: str) -> dict[str, Any]:
    """Write down what the run is made of."""
    keys = (*_KEPT, "images", "samples", "robot_share", "seed")
    record: dict[str, Any] = {key: getattr(arguments, key) for key in keys}
    record |= recipe(arguments) | {"robot": data.robot, "data": data.sources}
    record["texts"] = [str(path) for path in arguments.texts]
    record["scene_questions"] = arguments.scene_questions and arguments.labels == "expert"
    return write_record(arguments.out, record, command)


def _share_above_0(text: str) -> float:
    """A number above 0 and at most 1."""
    if not (value := share(text)):
        raise argparse.ArgumentTypeError(f"{text!r} leaves no robot data; valid is above 0 and at most 1")
    return value


def _number(low: float) -> Callable[[str], float]:
    def read_number(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = low - 1
        if value < low:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number of at least {low:g}")
        return value

    return read_number


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="vla train rt2", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add, amount = parser.add_argument, _number(0.0)
    add("--data", nargs="+", required=True, metavar="SET[:WEIGHT]", help="robot data sets")
    add("--out", type=Path, required=True, metavar="RUN", help="folder of the run")
    add(
        "--base",
        default="small",
        help="small (default); or a vision-language model: a folder, hub id or the name of a shipped one",
    )
    add("--texts", type=Path, nargs="*", default=[], metavar="SET", help="image-text sets on disk")
    add("--no-scene-questions", dest="scene_questions", action="store_false", help="none about the robot's frames")
    add("--robot-share", type=_share_above_0, default=0.66, help="of the mixture (default 0.66; 1 is robot data alone)")
    add("--vocabulary", default="auto", choices=["auto", "integers", "overwrite", "new"], help="action tokens")
    add(
        "--ranges",
        default="fixed",
        choices=["fixed", "quantile"],
        help="of translations: 6 cm, or 1 %% to 99 %% of data",
    )
    add("--prompt", default=None, help="rt2, rt2_state, openvla, ... or a .json file (default: rt2; small's own)")
    add("--lora", type=natural, default=0, metavar="RANK", help="train LoRA matrices of this rank, not all weights")
    add("--freeze-vision", action="store_true", help="leave the image encoder as it is")
    add("--steps", type=positive, default=3200, help="updates in all (default 3200)")
    add("--images", type=positive, default=32, help="pictures an update (default 32)")
    add("--samples", type=positive, default=4, help="instructions or questions a picture (default 4)")
    add(
        "--rate",
        type=amount,
        default=None,
        help="learning rate (default: small 1e-3, LoRA 5e-4, an RT-2 checkpoint its card's, else 2e-5)",
    )
    add("--soft-bins", type=amount, default=None, help="spread of targets over bins; 0: plain (default: small 3)")
    add("--read-back", type=amount, default=None, help="spread of translations that are read back (default: small 30)")
    add("--grounding", type=amount, default=None, help="weight of the attention loss (default: small 0.5, else 0)")
    add("--ema", type=share, default=0.998, help="of the averaged weights; 0 keeps none (default 0.998)")
    add("--bf16", action="store_true", help="compute in bfloat16, with weights and optimiser in float32")
    add_run_arguments(parser, report_every=20, validate_every=500)
    add_recorded_arguments(parser)
    return parser
