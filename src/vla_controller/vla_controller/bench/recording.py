# SPDX-License-Identifier: Apache-2.0
"""Action chunks recorded from a policy by `vla_training.bench.record_chunks`, and the joint targets they mean."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from vla_core.action import ActionChunk, ActionStep
from vla_core.robot import RobotConfig
from vla_core.rotation import Pose

from vla_controller.arm.kinematics import Kinematics
from vla_controller.arm.workspace import Workspace
from vla_controller.intake.latency import Timing
from vla_controller.intake.targets import pose_targets, schedule

Array = npt.NDArray[np.float64]

SHIPPED = "bench/data/rt1_run.json"
INSTRUCTION = "recorded"


@dataclass(frozen=True, slots=True)
class Run:
    """One episode: chunks with the times [s] at which the controller got them."""

    start: Array  # (n,) [rad]
    arrivals: tuple[float, ...]
    chunks: tuple[ActionChunk, ...]


@dataclass(frozen=True, slots=True)
class Recording:
    """Episodes of one policy on one robot."""

    robot: str
    source: str
    note: str
    runs: tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class Targets:
    """When [s] a run's steps are known and due, and where they lead; later chunks replace what is not due."""

    known: Array  # (k,)
    due: Array  # (k,) increasing
    tool: Array  # (k, 3) [m]
    joints: Array  # (k, n) [rad] that put the tool there, as nearly as the arm can


def load_recording(path: Path | None = None) -> Recording:
    """Read ``path``, or the run that is shipped."""
    text = path.read_text(encoding="utf-8") if path else files("vla_controller").joinpath(SHIPPED).read_text("utf-8")
    data = json.loads(text)
    runs = tuple(_run(run["chunks"]) for run in data["runs"])
    return Recording(str(data["robot"]), str(data["source"]), str(data["note"]), runs)


def _run(rows: list[dict[str, Any]]) -> Run:
    start = np.array(rows[0]["observed_joints"], dtype=np.float64)
    chunks = tuple(_chunk(row, sequence) for sequence, row in enumerate(rows))
    return Run(start, tuple(float(row["arrival"]) for row in rows), chunks)


def _chunk(row: dict[str, Any], sequence: int) -> ActionChunk:
    steps = [np.array(step, dtype=np.float64) for step in row["steps"]]
    return ActionChunk(
        stamp=float(row["stamp"]),
        frame_id="",
        instruction_id=INSTRUCTION,
        sequence=sequence,
        mode=int(row["mode"]),
        steps=tuple(ActionStep(step[:3], step[3:6], gripper=float(step[6])) for step in steps),
        period=float(row["period"]),
        delta_reference=int(row["delta_reference"]),
        observed_pose=Pose(np.array(row["observed_position"]), np.array(row["observed_quaternion_xyzw"])),
        observed_joints=np.array(row["observed_joints"], dtype=np.float64),
    )


def joint_targets(run: Run, config: RobotConfig, kinematics: Kinematics, latency_budget: float) -> Targets:
    """Solve every step's pose once, to convergence: what all ways of moving are asked for and judged by."""
    rows: list[tuple[float, float, Array, Array]] = []
    q, box = run.start, Workspace.of(config)
    for arrival, chunk in zip(run.arrivals, run.chunks, strict=True):
        plan = schedule(chunk, arrival, Timing(latency_budget, chunk.period))
        if not plan.indices:
            continue
        rows = [row for row in rows if row[1] < plan.times[0] - 1e-9]
        q = rows[-1][3] if rows else run.start
        poses = pose_targets(chunk, kinematics.fk(q))
        for k, due in zip(plan.indices, plan.times, strict=True):
            pose = Pose(box.clamp(poses[k].position), poses[k].quaternion)
            q, _, _ = kinematics.ik(q, pose, iterations=30)
            rows.append((arrival, due, pose.position, q))
    known, due_times, tool, joints = zip(*rows, strict=True)
    return Targets(np.array(known), np.array(due_times), np.array(tool), np.array(joints))
