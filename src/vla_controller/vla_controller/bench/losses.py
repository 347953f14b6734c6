# SPDX-License-Identifier: Apache-2.0
"""What a joint_trajectory_controller makes of the stream when commands are lost or late, or its clock is off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from vla_core.robot import load_robot_config

from vla_controller.arm_controller import ArmController
from vla_controller.bench.interpolation import AFTER, JITTER, commands, own_limits, peaks
from vla_controller.bench.joint_trajectory_controller import Receiver, play
from vla_controller.bench.recording import Recording
from vla_controller.bench.seams import record
from vla_controller.motion.setpoint import Setpoint
from vla_controller.motion.stream import LEAD, Command


@dataclass(frozen=True, slots=True)
class Link:
    """How commands come to the arm."""

    lost: int = 0  # commands in a row
    late: float = 0.0  # [s] of one command, beside the usual jitter
    clock: float = 0.0  # [s] by which the receiver's clock is ahead
    every: int = 7  # commands from one disturbance to the next


LINKS = {
    "undisturbed": Link(),
    "one lost": Link(lost=1),
    "two lost": Link(lost=2),
    "three lost": Link(lost=3),
    "40 ms late": Link(late=0.04),
    "70 ms late": Link(late=0.07),
    "clock 15 ms ahead": Link(clock=0.015),
    "clock 25 ms ahead": Link(clock=0.025),
    "clock 15 ms behind": Link(clock=-0.015),
    "clock 30 ms behind": Link(clock=-0.03),
}


def through(
    link: Link, setpoints: Sequence[Setpoint], sent: Sequence[Command], rng: np.random.Generator
) -> list[tuple[float, Command]]:
    """Commands that arrive over ``link``, in order, each with the time [s] on the receiver's clock."""
    came: list[tuple[float, Command]] = []
    for k, (row, command) in enumerate(zip(setpoints, sent, strict=True)):
        turn = k % link.every
        if k >= link.every and turn < link.lost:
            continue
        late = link.late if k >= link.every and turn == 0 else 0.0
        time = row.stamp + link.clock + late + float(rng.uniform(*JITTER))
        came.append((max(time, came[-1][0] if came else time), command))
    return came


def measure_losses(recording: Recording, dt: float) -> dict[str, Any]:
    """Largest step of a command within a cycle [mrad], and shares of the arm's limits, by link and lead."""
    controller = ArmController(load_robot_config(recording.robot), dt)
    limits, config, found = own_limits(controller.config), controller.config, dict[str, Any]()
    runs = [record(controller, dt, run).setpoints for run in recording.runs]
    for name, link in LINKS.items():
        for lead in (LEAD, LEAD + dt):
            steps, worst, rng = [0.0], None, np.random.default_rng(0)
            for setpoints in runs:
                came = through(link, setpoints, commands(setpoints, config, dt, lead=lead), rng)
                rows = play(came, setpoints[0].q, came[-1][0] + AFTER, Receiver())
                steps.append(1e3 * float(np.max(np.abs(np.diff(rows, 2, axis=0)))))
                here = peaks(rows, limits)
                worst = here if worst is None else worst.worst(here)
            shares = {} if worst is None else {n: round(getattr(worst, n), 3) for n in worst.__slots__}
            found[f"{name}, lead {1e3 * lead:.0f} ms"] = {"step_mrad": round(max(steps), 4), **shares}
    return found
