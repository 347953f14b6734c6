# SPDX-License-Identifier: Apache-2.0
"""`vla eval scene`: errors of the scene network's positions, on the simulator's own table and on varied ones."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vla_core.files import write_text
from vla_perception.scene.detector import SceneDetector

from vla_training.run.arguments import Parser, natural, positive
from vla_training.scene.arm_states import collect_arm_states
from vla_training.scene.measure import measure
from vla_training.scene.samples import draw_samples

_ARM_EPISODES = 4


def evaluate(detector: SceneDetector, robot: str, pictures: int, seed: int) -> dict[str, Any]:
    """Return the errors by kind of table: plain (the simulator's camera and light) and varied."""
    states = collect_arm_states(robot, _ARM_EPISODES, seed)
    return {
        kind: measure(detector, draw_samples(robot, states, pictures, seed, varied=kind == "varied"))
        for kind in ("plain", "varied")
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `vla eval scene`; returns the exit status."""
    parser = Parser(prog="vla eval scene", description=__doc__)
    parser.add_argument("--weights", type=Path, help="folder of `vla train scene`; default: what ships")
    parser.add_argument("--robot", default="fr3", help="fr3 (default) or wx250s")
    parser.add_argument("--pictures", type=positive, default=300)
    parser.add_argument("--seed", type=natural, default=900)
    parser.add_argument("--out", type=Path, default=Path("out/scene.json"))
    arguments = parser.parse_args(argv)
    report = evaluate(SceneDetector(arguments.weights, threads=1), arguments.robot, arguments.pictures, arguments.seed)
    write_text(arguments.out, json.dumps({"seed": arguments.seed, "pictures": arguments.pictures} | report, indent=1))
    for kind, row in report.items():
        print(
            f"{kind:7s} median {row['median_mm']:.1f} mm, p90 {row['p90_mm']:.1f} mm, missed "
            f"{100 * row['missed']['share']:.1f} % of {row['missed']['of']}, invented "
            f"{100 * row['invented']['share']:.1f} % of {row['invented']['of']}"
        )
    print(f"-> {arguments.out}")
    return 0
