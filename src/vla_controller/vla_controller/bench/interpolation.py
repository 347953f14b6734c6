# SPDX-License-Identifier: Apache-2.0
"""What an arm's own interpolation makes of the stream: peaks at 1 kHz as shares of the arm's limits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from vla_core.robot import ArmLimits, RobotConfig, load_robot_config

from vla_controller.arm_controller import ArmController
from vla_controller.bench.joint_trajectory_controller import CYCLE, Receiver, play, refusal
from vla_controller.bench.recording import Recording
from vla_controller.bench.rig import Bench
from vla_controller.bench.seams import record
from vla_controller.bench.streams import STREAMS, run_stream, start_pose
from vla_controller.motion.setpoint import Setpoint
from vla_controller.motion.stream import LEAD, Command, CommandStream

Array = npt.NDArray[np.float64]

JITTER = (0.0005, 0.015)  # [s] from a tick to the arrival of its command
_REST_TICKS = 12
AFTER = 1.0  # [s] evaluated after the last command
RECEIVERS = {
    f"{spline}, from {'desired' if desired else 'measured'}": Receiver(spline, desired)
    for spline in ("quintic", "cubic", "linear")
    for desired in (True, False)
}
_KINDS = tuple(kind for kind in STREAMS if kind in ("steady", "zigzag", "into_limits", "mixed", "disorder", "operator"))


@dataclass(frozen=True, slots=True)
class Peaks:
    """Shares of the arm's own limits, the largest of all joints."""

    velocity: float
    acceleration: float
    jerk: float

    def worst(self, other: Peaks) -> Peaks:
        """The larger of each."""
        pairs = ((getattr(self, name), getattr(other, name)) for name in self.__slots__)
        return Peaks(*(max(pair) for pair in pairs))


def commands(
    setpoints: Sequence[Setpoint], config: RobotConfig, dt: float, timed: bool = True, lead: float = LEAD
) -> list[Command]:
    """Commands of setpoints that were made on time, by a stream that has been at rest for a while before."""
    stream, first = CommandStream(config.limits, dt, lead), setpoints[0]
    for k in range(_REST_TICKS, 0, -1):  # else the time that the arm has for the first place would be a lead for good
        stream.command(first, first.stamp - k * dt)
    made = [(row.stamp, stream.command(row, row.stamp)) for row in setpoints]
    return [command if timed else command.from_arrival(now) for now, command in made]


def arrivals(setpoints: Sequence[Setpoint], sent: Sequence[Command], rng: np.random.Generator) -> list[Any]:
    """Each command with the time [s] at which it arrives."""
    return [(row.stamp + rng.uniform(*JITTER), command) for row, command in zip(setpoints, sent, strict=True)]


def peaks(rows: Array, limits: ArmLimits) -> Peaks:
    """Of positions (t, n) [rad], one each millisecond: as an arm judges them."""
    tops = (limits.velocity, limits.acceleration, limits.jerk)
    return Peaks(
        *(float(np.max(np.abs(np.diff(rows, k + 1, axis=0)) / CYCLE ** (k + 1) / top)) for k, top in enumerate(tops))
    )


def own_limits(config: RobotConfig) -> ArmLimits:
    """The maker's limits, or the robot file's where those are not known."""
    limits = config.limits
    return config.arm_limits or ArmLimits(limits.velocity, limits.acceleration, limits.jerk)


def interpolate(recording: Recording, robots: Sequence[str], rate: float, streams: int) -> dict[str, Any]:
    """Peaks by robot, sort of stream, clock and receiver; and how many commands no controller would take."""
    report: dict[str, Any] = {"jitter_s": JITTER, "hostile_streams_per_robot": streams, "refused": 0}
    for robot in robots:
        controller = ArmController(load_robot_config(robot), 1.0 / rate)
        runs = {"hostile": _hostile(controller, 1.0 / rate, streams)}
        if robot == recording.robot:
            runs["recorded"] = (record(controller, 1.0 / rate, run).setpoints for run in recording.runs)
        for sort, rows in runs.items():
            found, refused = _over(rows, controller.config, 1.0 / rate)
            report[f"{robot} {sort}"] = found
            report["refused"] += refused
    return report


def _hostile(controller: ArmController, dt: float, count: int) -> Iterator[list[Setpoint]]:
    for index in range(count):
        rng = np.random.default_rng([7, index])
        bench = Bench(controller, dt, start=start_pose(controller.config, controller.kinematics.clearance, rng))
        run_stream(bench, rng, _KINDS[index % len(_KINDS)], 1.5)
        yield bench.setpoints


def _over(runs: Iterator[list[Setpoint]], config: RobotConfig, dt: float) -> tuple[dict[str, Any], int]:
    worst, refused, rng = dict[str, Peaks](), 0, np.random.default_rng(0)
    for setpoints in runs:
        for clock, timed in (("one clock", True), ("two clocks", False)):
            came = arrivals(setpoints, commands(setpoints, config, dt, timed), rng)
            refused += sum(bool(refusal(command, len(config.joints), time)) for time, command in came)
            for name, receiver in RECEIVERS.items():
                rows = play(came, setpoints[0].q, came[-1][0] + AFTER, receiver)
                key, found = f"{clock}, {name}", peaks(rows, own_limits(config))
                worst[key] = found.worst(worst.get(key, found))
    return {key: {name: round(getattr(row, name), 3) for name in row.__slots__} for key, row in worst.items()}, refused
