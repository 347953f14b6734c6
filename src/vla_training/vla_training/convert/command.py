# SPDX-License-Identifier: Apache-2.0
"""`vla convert rt1`: Google's released RT-1 (TensorFlow) as a checkpoint of this project.

FOLDER is one of google-research/robotics_transformer's trained_checkpoints (rt1main, rt1simreal, rt1multirobot), with
its data files from Git LFS. TensorFlow is not needed. The network reads instructions as 512 numbers of the Universal
Sentence Encoder, which this project does not have: give those of your instructions, or an installed encoder.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from vla_policy.action.presets import RT1
from vla_policy.action.space import ActionSpace
from vla_policy.action.steps import check_space
from vla_policy.errors import ActionSpaceError
from vla_policy.rt1.checkpoint import CONFIG_FILE, save_checkpoint
from vla_policy.rt1.instruction import InstructionTable, read_embeddings
from vla_policy.rt1.instruction.table import installed_encoder

from vla_training.convert.rt1 import convert_network, find_source
from vla_training.rt1.card import rewrite
from vla_training.run.arguments import Parser
from vla_training.run.errors import TrainingError

PERIOD_S = 0.333  # [s] between actions of Google's robots
ROBOT = "google_robot"


def convert(
    folder: Path, out: Path, instructions: Path | None, encoder: str, robot: str, space: ActionSpace
) -> tuple[int, InstructionTable]:
    """Write the checkpoint `out`; return the number of parameters and the instructions that it can be given.

    Raises TrainingError and ConfigurationError for what is missing, damaged or of another network.
    """
    if instructions is None and not encoder:
        raise TrainingError("the network reads embeddings: valid is --instructions FILE, --encoder NAME or both")
    if (out / CONFIG_FILE).exists():
        raise TrainingError(f"{out} holds a checkpoint already; valid is a new folder")
    source = find_source(folder)
    network = convert_network(source, len(space.dimensions))
    embeddings = read_embeddings(instructions) if instructions else {}
    table = InstructionTable(
        embeddings, network.config.instruction_dim, installed_encoder(encoder) if encoder else None
    )
    control = {
        "period_s": PERIOD_S,
        "source": f"google-research/robotics_transformer {folder.name}, {source.bundle.prefix.name} (TensorFlow)",
        "instruction_encoder": encoder,
        "instructions": len(table.texts),
    }
    save_checkpoint(out, network, space.to_dict(), robot, control)
    table.save(out)
    rewrite(out)
    return sum(parameter.numel() for parameter in network.parameters()), table


def read_space(path: Path | None) -> ActionSpace:
    """Return an action space file (JSON), or RT-1's. Raises ActionSpaceError."""
    if path is None:
        return RT1
    try:
        return check_space(ActionSpace.from_dict(json.loads(path.read_text(encoding="utf-8"))))
    except ValueError as error:
        raise ActionSpaceError(f"{path} holds no action space: {error}") from error


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `vla convert rt1`; returns the exit status."""
    parser = Parser(prog="vla convert rt1", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="folder of the TensorFlow checkpoint")
    parser.add_argument("--out", type=Path, required=True, help="folder of the new checkpoint")
    parser.add_argument(
        "--instructions", type=Path, metavar="FILE", help=".json, .npz or .safetensors: instruction to 512 numbers"
    )
    parser.add_argument(
        "--encoder", default="", metavar="NAME", help="entry point of vla_policy.instruction_encoders, for other texts"
    )
    parser.add_argument("--robot", default=ROBOT, help=f"name of the robot that it may drive (default {ROBOT})")
    parser.add_argument(
        "--action-space", type=Path, metavar="FILE", help="JSON; default: RT-1's order and ranges, as in config.json"
    )
    arguments = parser.parse_args(argv)
    parameters, table = convert(
        arguments.folder,
        arguments.out,
        arguments.instructions,
        arguments.encoder,
        arguments.robot,
        read_space(arguments.action_space),
    )
    print(f"written: {arguments.out}, {parameters / 1e6:.1f} M parameters, {len(table.texts)} instructions")
    return 0
