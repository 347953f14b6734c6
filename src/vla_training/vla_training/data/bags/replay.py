# SPDX-License-Identifier: Apache-2.0
"""`vla replay BAG`: what was commanded in a recorded episode goes through the gate again, open loop.

Writes the commanded joints as chunks for `policy:=replay`; the words NAME:=VALUE go to `vla up`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from vla_core.action import ActionChunk, ActionMode, ActionStep, DeltaReference

from vla_training.run.arguments import Parser
from vla_training.run.errors import TrainingError

PERIOD_S = 0.2  # [s] between chunks, the policy's period
STEPS = 5  # of a chunk: the next takes over long before its end
MAX_SPEED = 1.0  # of the recorded one: faster was never shown to be safe


def main(argv: Sequence[str] | None = None) -> int:
    """Write the chunks and print, one a line, the words for `vla up`; returns 0."""
    options = _parser().parse_intermixed_args(argv)
    from vla_recorder.bag.reader import open_bag
    from vla_recorder.errors import RecordingError

    from vla_training.data.lerobot.schema import DatasetError

    if not 0.0 < options.speed <= MAX_SPEED:
        raise TrainingError(f"--speed is {options.speed}; valid: above 0 to {MAX_SPEED:g}")
    words = [word for word in options.words if ":=" not in word]
    if words:
        raise TrainingError(f"{words[0]!r} is no NAME:=VALUE")
    try:
        bag = open_bag(options.bag)
        task, chunks = recorded_chunks(bag, options.speed)
    except (RecordingError, DatasetError) as error:
        raise TrainingError(f"{options.bag}: {error}") from error
    write(options.out, task, chunks)
    seconds = len(chunks) * PERIOD_S
    print(f"{options.bag}: {seconds:.1f} s at {options.speed:g} of its speed, {task!r}: {options.out}", file=sys.stderr)
    given = [
        "policy:=replay",
        f"replay_file:={options.out.absolute()}",
        f"instruction:={task}",
        f"rate:={1 / PERIOD_S}",
    ]
    robot = [f"robot:={bag.custom['robot']}"] if bag.custom.get("robot") else []
    print("\n".join([*given, *robot, *options.words]))
    return 0


def recorded_chunks(bag: Any, speed: float) -> tuple[str, list[ActionChunk]]:
    """Return the task and the commanded joint positions [rad] as chunks.

    Raises:
        DatasetError: the bag has no controller status, no task, or a number that is not finite.
    """
    from vla_training.data.bags import resample
    from vla_training.data.bags.series import INSTRUCTION, S, Series, controller_topic
    from vla_training.data.lerobot.schema import DatasetError

    series, told = Series(controller_topic(bag)), bag.topics_of(INSTRUCTION)
    task = bag.custom.get("task", "")
    for topic, log_ns, content in bag.messages([series.topic, *told]):
        if topic in told:
            task = task or content.text
        elif content.setpoint:
            stamp = content.header.stamp
            series.add(stamp.sec * 10**9 + stamp.nanosec, log_ns, content)
    if not task:
        raise DatasetError("its task is unknown")
    stamps, statuses = series.in_order()
    setpoints = np.array([status.setpoint for status in statuses], dtype=np.float64)
    bad = np.flatnonzero(~np.isfinite(setpoints).all(axis=1))
    if len(bad):
        raise DatasetError(
            f"{series.topic}, message {bad[0]}: setpoint is {setpoints[bad[0]]}; valid are finite numbers"
        )
    times = resample.grid(int(stamps[0]), int(stamps[-1]), 1.0 / (PERIOD_S * speed))
    joints = resample.linear(stamps, setpoints, times)
    openings = [float(statuses[i].gripper) for i in resample.latest(stamps, times).tolist()]
    names = tuple(statuses[0].joint_names)
    steps = [ActionStep(joints=row, gripper=opening) for row, opening in zip(joints, openings, strict=True)]
    chunks = [_chunk(steps[k : k + STEPS], names, float(times[k]) / S) for k in range(1, len(steps))]
    return task, chunks


def _chunk(steps: Sequence[ActionStep], names: tuple[str, ...], stamp: float) -> ActionChunk:
    reference = DeltaReference.OBSERVED
    return ActionChunk(stamp, ActionMode.JOINT_POSITION, reference, PERIOD_S, tuple(steps), joint_names=names)


def write(path: Path, task: str, chunks: Sequence[ActionChunk]) -> None:
    """Write the chunks as a file that `policy:=replay` reads. Raises OSError."""
    from vla_core.files import write_text
    from vla_policy.replay.recording import FORMAT, chunk_to_dict

    rows: list[dict[str, Any]] = [{"format": FORMAT, "policy": "recorded"}, {"instruction": task}]
    rows += [chunk_to_dict(chunk) for chunk in chunks]
    write_text(path, "".join(json.dumps(row, allow_nan=False) + "\n" for row in rows))


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="vla replay", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bag", type=Path, metavar="BAG", help="folder of a recorded episode")
    parser.add_argument("words", nargs="*", metavar="NAME:=VALUE", help="launch arguments, for example sim:=none")
    parser.add_argument("--speed", type=float, default=1.0, help="of the recorded speed, up to 1 (default 1)")
    parser.add_argument(
        "--out", type=Path, default=Path("out/replay.jsonl"), help="file of the chunks (default %(default)s)"
    )
    return parser
