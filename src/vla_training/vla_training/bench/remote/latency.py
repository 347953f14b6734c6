# SPDX-License-Identifier: Apache-2.0
"""Policies that are late: ways of joining chunks under added latency, and inference that is slow.

In lockstep, with the expert: its chunks are made from the simulator's truth, so that what fails is due to the delay.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from vla_controller.motion.setpoint import Setpoint
from vla_controller.settings import ControllerSettings
from vla_policy.loading import policy_settings
from vla_policy.policy import Policy
from vla_sim.expert.policy import ExpertPolicy

from vla_training.evaluate.command import EvalSettings, Evaluator
from vla_training.evaluate.lockstep import LockstepSettings

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HORIZON, PERIOD, INFERENCE = 10, 0.2, 0.1
TIME_LIMIT = 30.0  # [s] at full pace; more for a slow policy, by as much as its budget lets it be slower
WAYS = {
    "latest": ControllerSettings(),
    **{
        f"weighted {name}": ControllerSettings(joining="weighted", joining_aggregate=name)
        for name in ("weighted_average", "average", "conservative")
    },
    "ensemble": ControllerSettings(joining="ensemble"),
}
BUDGETS = {"fixed": ControllerSettings(latency="fixed"), "adaptive": ControllerSettings()}
_MOVING = 0.1  # of the usual speed, below which the arm counts as standing
_SEAM = 3  # ticks after a chunk in which it is joined


@dataclass(frozen=True, slots=True)
class Motion:
    """How an episode moved. stops, stutter: a chunk; acceleration: joints' largest at the seams [rad/s^2]."""

    stops: float
    stutter: float
    acceleration: float


def judge(setpoints: Sequence[Setpoint], places: NDArray[np.float64], dt: float) -> Motion:
    """Return how setpoints with the tool at `places` (t, 3) [m] moved, `dt` [s] apart.

    `stutter` is the sum of all changes of speed, over that of a start and a stop, by chunks: 1 for an arm that starts
    and stops with each chunk, 0 for one that keeps its speed. `stops`: times at which it came to stand, by chunks.
    """
    speed = np.linalg.norm(np.diff(places, axis=0), axis=1) / dt
    chunks = np.array([row.chunk_sequence for row in setpoints])
    seams = np.flatnonzero(np.diff(chunks)) + 1
    if not len(seams) or not np.any(speed > 1e-3):
        return Motion(0.0, 0.0, 0.0)
    top = float(np.percentile(speed[speed > 1e-3], 90))
    standing = speed < _MOVING * top
    stops = int(np.sum(standing[1:] & ~standing[:-1]))
    push = np.array([np.abs(row.qdd).max() for row in setpoints])
    peaks = [push[k : k + _SEAM].max() for k in seams]
    changes = float(np.abs(np.diff(speed)).sum()) / (2.0 * top)
    return Motion(stops / len(seams), changes / len(seams), float(np.percentile(peaks, 99)))


def drive(
    arguments: argparse.Namespace, policy: Policy | None, inference: float, controller: ControllerSettings
) -> dict[str, Any]:
    """Return success, seconds and motion of `arguments.episodes` under one condition."""
    limit = TIME_LIMIT * max(1.0, 2.25 * inference / (0.3 + INFERENCE)) if policy is None else TIME_LIMIT
    name = arguments.slow_policy if policy is None else "expert"
    settings = EvalSettings(policy_settings(name, arguments.robot), arguments.seed, time_limit=limit)
    lockstep = LockstepSettings(PERIOD, inference_time=inference, controller=controller)
    evaluator = Evaluator(settings, lockstep, policy)
    tool = evaluator.lockstep.controller.kinematics.tool_position
    results, motions, late = [], list[Motion](), 0
    for index in range(arguments.latency_episodes):
        results.append(evaluator.run(index))
        rows = evaluator.lockstep.setpoints
        places = np.array([tool(row.q) for row in rows])
        motions.append(judge(rows, places, lockstep.controller_period))
        late += results[-1].refusals.get("all_steps_late", 0)
    evaluator.close()
    return {
        "success": round(float(np.mean([row.success for row in results])), 4),
        "success_in_30_s": round(float(np.mean([row.success and row.seconds <= TIME_LIMIT for row in results])), 4),
        "seconds": round(float(np.median([row.seconds for row in results])), 1),
        "stops_a_chunk": round(float(np.mean([row.stops for row in motions])), 3),
        "stutter": round(float(np.mean([row.stutter for row in motions])), 3),
        "seam_acceleration": round(float(np.mean([row.acceleration for row in motions])), 2),
        "all_steps_late": late,
        "episodes": len(results),
    }


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return `latency` {added [s]: {way: success}}, `latency_motion`, `slow_inference` {[s]: {budget: row}}."""
    latency: dict[str, Any] = {}
    motion: dict[str, Any] = {}
    for added in arguments.added:
        for way, controller in WAYS.items():
            expert = ExpertPolicy(arguments.robot, PERIOD, HORIZON)
            row = drive(arguments, expert, INFERENCE + added, controller)
            latency.setdefault(f"{added:g}", {})[way] = row["success"]
            motion.setdefault(f"{added:g}", {})[way] = row
            print(f"  {added:g} s added, {way}: {_line(row)}", flush=True)
    slow: dict[str, Any] = {}
    for inference in arguments.slow:
        for budget, controller in BUDGETS.items():
            row = drive(arguments, None, inference, controller)
            slow.setdefault(f"{inference:g}", {})[budget] = row
            print(f"  {arguments.slow_policy}, {inference:g} s an inference, {budget}: {_line(row)}", flush=True)
    return {"latency": latency, "latency_motion": motion, "slow_inference": slow}


def _line(row: Mapping[str, Any]) -> str:
    return (
        f"success {100 * row['success']:.0f} % ({100 * row['success_in_30_s']:.0f} in 30 s), {row['seconds']} s, "
        f"stops {row['stops_a_chunk']} and stutter {row['stutter']} a chunk, {row['seam_acceleration']} rad/s2 at seams"
    )


def draw(axes: Axes, result: Mapping[str, Any]) -> None:
    """Draw the acceleration at the seams over the added latency, a line a way."""
    motion = result["latency_motion"]
    for way in WAYS:
        rows = [rows[way] for rows in motion.values() if way in rows]
        heights = [row["seam_acceleration"] for row in rows]
        axes.plot([float(added) for added in motion][: len(rows)], heights, "o-", label=way)
    axes.set(xlabel="added latency [s]", ylabel="peak acceleration at seams [rad/s²]", title="ways of joining chunks")
    axes.legend(fontsize="small")
