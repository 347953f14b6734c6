# SPDX-License-Identifier: Apache-2.0
"""`vla bench variation`: what a varied table costs, by axis, and what it looks like, as one picture."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from vla_core.files import replacing, write_text
from vla_sim.task.task import Task
from vla_sim.variation.axes import AXES
from vla_sim.variation.picture import develop
from vla_sim.variation.variation import parse_variation
from vla_sim.variation.varier import Varier, dress
from vla_sim.world.camera import Camera
from vla_sim.world.dressing import SHAPES, Dressing
from vla_sim.world.extras import add_things
from vla_sim.world.layout import sample_layout
from vla_sim.world.robots import get_robot
from vla_sim.world.scene import BLOCKS, BOWL
from vla_sim.world.things import HELD_OUT_THINGS, TRAINED_THINGS
from vla_sim.world.world import World

from vla_training.run.arguments import Parser, natural, positive

Image = NDArray[np.uint8]
COLUMNS, TITLE = 4, 18  # pictures in a line; [px]
DRESSED: Mapping[str, Dressing] = {
    "nine things": Dressing(things=(*TRAINED_THINGS[:5], *HELD_OUT_THINGS[:4])),
    "shapes": Dressing(shapes=dict(zip(BLOCKS, SHAPES, strict=True))),
    "digits": Dressing(marks=dict(zip(BLOCKS, "12345", strict=True))),
}


def measure(words: Sequence[str], dressing: Dressing, seed: int, frames: int) -> tuple[dict[str, float], Image]:
    """Return times [ms] of one table (compiling, the fastest frame, a simulated second at rest) and its picture."""
    robot, task = get_robot("fr3"), Task("place", BLOCKS[0], BOWL)
    drawn = parse_variation(words).draw(seed)
    begun = time.perf_counter()
    world = World(robot, dressing=dress(dressing, drawn))
    compiled = time.perf_counter() - begun
    varier = Varier(world)
    varier.set(drawn)
    world.reset_robot(varier.home(drawn))
    rng = np.random.default_rng(seed)
    layout = None
    while layout is None:
        layout = add_things(robot, sample_layout(robot, task, rng), dressing.things, rng)
    layout.apply(world)
    world.step(0.1)
    with Camera(world) as camera:
        camera.effect = partial(develop, drawn=drawn, rng=rng)
        camera.render()
        drawing = [_timed(camera.render) for _ in range(frames)]
        picture = camera.render()
    physics = _timed(partial(world.step, 1.0))
    numbers = {"compile_ms": compiled, "frame_ms": min(drawing), "simulated_second_ms": physics}
    return {name: round(1e3 * value, 2) for name, value in numbers.items()}, picture


def _timed(call: Any) -> float:
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def sheet(pictures: Mapping[str, Image]) -> Image:
    """Return the pictures with their names, as one (H, W, 3)."""
    import cv2

    tiles = []
    for name, image in pictures.items():
        head = np.full((TITLE, image.shape[1], 3), 24, dtype=np.uint8)
        cv2.putText(head, name, (4, TITLE - 5), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (235, 235, 235), 1, cv2.LINE_AA)
        tiles.append(np.concatenate([head, image]))
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % COLUMNS)
    return np.concatenate([np.concatenate(tiles[i : i + COLUMNS], axis=1) for i in range(0, len(tiles), COLUMNS)])


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `vla bench variation`; returns the exit status."""
    parser = Parser(prog="vla bench variation", description=__doc__)
    parser.add_argument("--frames", type=positive, default=40, help="of which the fastest counts (default 40)")
    parser.add_argument("--seed", type=natural, default=3)
    parser.add_argument("--out", type=Path, default=Path("out/bench/variation.json"), help="beside it the .jpg")
    options = parser.parse_args(argv)
    cases: dict[str, tuple[list[str], Dressing]] = {"plain": ([], Dressing())}
    cases |= {axis: ([axis], Dressing()) for axis in AXES}
    cases["shadows"] = (["light.shadow=1"], Dressing())
    cases |= {name: ([], dressing) for name, dressing in DRESSED.items()}
    cases["trained"], cases["held out"] = (["trained"], Dressing()), (["held_out"], Dressing())
    report, pictures = {}, {}
    for name, (words, dressing) in cases.items():
        report[name], pictures[name] = measure(words, dressing, options.seed, options.frames)
        print(f"{name:12s} " + ", ".join(f"{key} {value:.1f}" for key, value in report[name].items()), flush=True)
    write_text(options.out, json.dumps(report, indent=1) + "\n")
    _save(sheet(pictures), options.out.with_suffix(".jpg"))
    print(f"written: {options.out}, {options.out.with_suffix('.jpg')}")
    return 0


def _save(image: Image, path: Path) -> None:
    import cv2

    with replacing(path) as temporary:
        temporary.write_bytes(cv2.imencode(".jpg", image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])[1].tobytes())
