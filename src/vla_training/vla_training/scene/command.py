# SPDX-License-Identifier: Apache-2.0
"""`vla train scene`: pictures from the simulator, the network, its card."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from vla_core.files import replacing, write_text
from vla_perception.scene.detector import SceneDetector
from vla_perception.scene.network import SceneNetwork

from vla_training.run.arguments import Parser, natural, positive
from vla_training.scene.arm_states import collect_arm_states
from vla_training.scene.evaluate import evaluate
from vla_training.scene.samples import draw_samples
from vla_training.scene.trainer import SceneData, SceneTrainSettings, train_scene

_ARM_EPISODES, _MEASURED_PICTURES, _MEASURED_SEED = 16, 300, 900


def save_network(network: SceneNetwork, folder: Path) -> None:
    """Write weights and card, without what is measured."""
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / "model.safetensors") as temporary:
        save_file({name: value.contiguous().clone() for name, value in network.state_dict().items()}, temporary)
    write_text(folder / "card.json", json.dumps({"network": asdict(network.config)}, indent=1) + "\n")


def write_card(folder: Path, robot: str, training: dict[str, Any]) -> dict[str, Any]:
    """Measure the network in a folder, and put it with how it was trained into the card; return the card."""
    detector = SceneDetector(folder, threads=1)
    report = evaluate(detector, robot, _MEASURED_PICTURES, _MEASURED_SEED)
    card: dict[str, Any] = {
        "network": detector.card["network"],
        "training": training,
        "measured": {"deviation_m": report["plain"]["deviation_m"], "seed": _MEASURED_SEED, **report},
    }
    write_text(folder / "card.json", json.dumps(card, indent=1) + "\n")
    write_text(folder / "README.md", _readme(card, robot))
    return card


def _readme(card: dict[str, Any], robot: str) -> str:
    rows = "\n".join(
        f"| {kind} | {row['median_mm']:.1f} | {row['p90_mm']:.1f} | {100 * row['missed']['share']:.1f} % | "
        f"{100 * row['invented']['share']:.1f} % |"
        for kind, row in ((kind, card["measured"][kind]) for kind in ("plain", "varied"))
    )
    training = ", ".join(f"{name} {value}" for name, value in card["training"].items())
    return f"""# Objects of the table from a picture ({robot})

A fully convolutional network at an eighth of a 256 x 320 picture: for each object heat, place within the cell and
height; the camera's intrinsics and pose turn pixel and height into a position in the base frame.

- objects: {", ".join(card["network"]["names"])}
- training: {training}; pictures of the simulator with camera, light and colours varied, flips and photometric noise
- commands: `./vla train scene`, measured by `./vla eval scene`

| table | median [mm] | p90 [mm] | missed | invented |
|---|---|---|---|---|
{rows}

Errors are in the plane of the table, on {_MEASURED_PICTURES} pictures of seed {_MEASURED_SEED} each, which no training
saw: plain has the simulator's own camera and light; in varied both and the colours are drawn. Missed: visible and not
found. Invented: absent and found.

It knows these objects in this simulator. Pictures of a real camera need training on such pictures.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `vla train scene`; returns the exit status."""
    arguments = _parser().parse_args(argv)
    began = time.monotonic()
    states = collect_arm_states(arguments.robot, _ARM_EPISODES, arguments.seed)
    data = SceneData.of(list(draw_samples(arguments.robot, states, arguments.pictures, arguments.seed)))
    print(f"{len(data.images)} pictures in {time.monotonic() - began:.0f} s", flush=True)
    network = SceneNetwork()
    settings = replace(SceneTrainSettings(), steps=arguments.steps, seed=arguments.seed)
    for step, loss in train_scene(network, data, settings):
        if step % 50 == 0:
            print(f"step {step}/{settings.steps} loss {loss:.2f}", flush=True)
    save_network(network, arguments.out)
    training = {"pictures": arguments.pictures, "steps": settings.steps, "batch": settings.batch, "seed": settings.seed}
    card = write_card(arguments.out, arguments.robot, training)
    print(f"plain: median {card['measured']['plain']['median_mm']:.1f} mm -> {arguments.out}")
    return 0


def _parser() -> Parser:
    parser = Parser(prog="vla train scene", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for weights and card")
    parser.add_argument("--robot", default="fr3", help="fr3 (default) or wx250s")
    parser.add_argument("--pictures", type=positive, default=2500, help="of the simulator (default %(default)s)")
    parser.add_argument("--steps", type=positive, default=SceneTrainSettings().steps, help="(default %(default)s)")
    parser.add_argument("--seed", type=natural, default=0)
    return parser
