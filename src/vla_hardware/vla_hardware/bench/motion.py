# SPDX-License-Identifier: Apache-2.0
"""The motion of the benchmark, and what a run of it shows: lag, error, limits. No ROS."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray
from vla_core.robot import ArmLimits

Array = NDArray[np.float64]
SHIPPED = "bench/data/rt1_motion.json"
SLOWER = 1.05  # the recorded accelerations are those of the limits: between two points quintics exceed them a little
LAGS = np.arange(-0.05, 0.3, 0.0025)  # [s] that are tried
MOVING = 0.02  # [rad/s] below which a joint counts as at rest
NEAR = 10  # samples, 10 ms
ROUNDING = 1e-3  # share of a limit


@dataclass(frozen=True, slots=True)
class Path:
    """A joint trajectory: times (k,) [s] from its start, positions, velocities and accelerations (k, n)."""

    times: Array
    positions: Array
    velocities: Array
    accelerations: Array

    def after(self, start: Array) -> Path:
        """Return the path with a way to its beginning from rest at `start` (n,) [rad]."""
        way = float(np.abs(self.positions[0] - start).max())
        lead = max(0.5, 3.0 * way)
        rest = np.zeros_like(start)
        return Path(
            np.concatenate([[0.0], self.times + lead]),
            np.vstack([start, self.positions]),
            np.vstack([rest, self.velocities]),
            np.vstack([rest, self.accelerations]),
        )


def load_paths() -> tuple[Path, ...]:
    """Return the recorded motions, each from rest to rest."""
    data = json.loads(files("vla_hardware").joinpath(SHIPPED).read_text("utf-8"))
    return tuple(_path(run, float(data["period"]) * SLOWER) for run in data["runs"])


def _path(run: dict[str, list[list[float]]], period: float) -> Path:
    positions, velocities, accelerations = (np.array(run[key]) for key in ("positions", "velocities", "accelerations"))
    velocities, accelerations = velocities / SLOWER, accelerations / SLOWER**2
    for rows in (velocities, accelerations):
        rows[[0, -1]] = 0.0
    times = np.asarray(period * np.arange(len(positions)), dtype=np.float64)
    return Path(times, positions, velocities, accelerations)


def tracking(command_times: Array, commands: Array, times: Array, measured: Array) -> tuple[float, float]:
    """Return the lag [s] of the arm behind its commands, and the rms error [rad] that is left after the lag.

    Args:
        command_times: (k,) [s], increasing.
        commands: (k, n) [rad].
        times: of the measured positions (m,) [s], increasing.
        measured: (m, n) [rad].
    """
    inside = (times > command_times[0] + 0.5) & (times < command_times[-1] - 0.5)
    times, measured = times[inside], measured[inside]
    speed = np.abs(np.gradient(measured, times, axis=0)).max(axis=1)
    times, measured = times[speed > MOVING], measured[speed > MOVING]
    if not len(times):
        raise ValueError("the arm never moved")

    def error(lag: float) -> float:
        wanted = np.stack([np.interp(times - lag, command_times, column) for column in commands.T], axis=1)
        return float(np.sqrt(np.mean((wanted - measured) ** 2)))

    errors = [error(lag) for lag in LAGS]
    best = int(np.argmin(errors))
    return float(LAGS[best]), errors[best]


@dataclass(frozen=True, slots=True)
class LimitAccount:
    """Velocities that the arm was commanded at 1 kHz: how many, how many over a limit, and the largest shares."""

    samples: int
    missed: int  # states of the arm that libfranka did not answer
    over: int
    over_apart: int  # of them, those that are not within NEAR samples of a missed state
    velocity: float  # share of the limit
    acceleration: float
    jerk: float


def account(commands: Array, limits: ArmLimits) -> LimitAccount:
    """Hold the commands of `franka_sim record` against the arm's own limits.

    Differences are taken between commands of consecutive states of the arm, 1 ms apart; where one is missing, and where
    a motion ended, there is none.

    Args:
        commands: rows of time [s], seven velocities [rad/s], whether the motion ended, number of the state.
        limits: the maker's.
    """
    dt, going = 0.001, commands[:, 8] == 0.0
    velocity, number = commands[:, 1:8], commands[:, 9]
    next_to = (np.diff(number) == 1.0) & going[1:] & going[:-1]
    acceleration = np.diff(velocity, axis=0) / dt
    jerk = np.diff(acceleration, axis=0) / dt
    shares = (
        np.abs(velocity[going]) / limits.velocity,
        np.abs(acceleration[next_to]) / limits.acceleration,
        np.abs(jerk[next_to[1:] & next_to[:-1]]) / limits.jerk,
    )
    gaps = np.diff(number) - 1.0
    near = np.convolve(np.concatenate([gaps > 0, [False]]), np.ones(2 * NEAR + 1), "same") > 0
    places = (np.flatnonzero(going), np.flatnonzero(next_to), np.flatnonzero(next_to[1:] & next_to[:-1]))
    over = [place[(share > 1.0 + ROUNDING).any(axis=1)] for place, share in zip(places, shares, strict=True)]
    apart = sum(int((~near[rows]).sum()) for rows in over)
    largest = [float(share.max()) if share.size else 0.0 for share in shares]
    return LimitAccount(int(going.sum()), int(gaps[gaps > 0].sum()), sum(map(len, over)), apart, *largest)


def speeds_of(times: Array, positions: Array, over: int) -> Array:
    """Return the fastest joint's speed (k,) [rad/s] over `over` samples: joints that hold tremble, and go nowhere."""
    moved = np.abs(positions[over:] - positions[:-over]) / (times[over:] - times[:-over])[:, None]
    return np.concatenate([np.full(over, moved[0].max() if len(moved) else 0.0), moved.max(axis=1)])


def rest_after(times: Array, speeds: Array, since: float, until: float, still: float) -> float:
    """Return the time [s] from `since` until the last moment before `until` at which the speed was above `still`."""
    inside = (times >= since) & (times <= until) & (speeds > still)
    return float(times[inside].max() - since) if inside.any() else 0.0
