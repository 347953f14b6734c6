# SPDX-License-Identifier: Apache-2.0
"""The recorded motion in a loop through controller and driver: refusals, lag, error, limits."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from pathlib import Path as FilePath
from typing import Any

import numpy as np

from vla_hardware.bench.motion import account, load_paths, tracking
from vla_hardware.ros.bench_rig import Rig

PATIENCE_S = 30.0  # [s] beyond a path's length
PAUSE_S = 0.5  # [s] after a path that failed


def bench_franka(rig: Rig, minutes: float, out: FilePath, say: Callable[[str], None]) -> dict[str, Any]:
    """Loop for `minutes`; return the figures."""
    record = out / "franka_run.npz"
    rig.tell_sim(f"record {record}")
    rig.keep = True
    begin, goals, failed = time.monotonic(), 0, []
    for path in itertools.cycle(load_paths()):
        if time.monotonic() - begin >= 60.0 * minutes:
            break
        way = path.after(rig.position())
        result = rig.begin(way)
        rig.wait(result.done, "end of a path", float(way.times[-1]) + PATIENCE_S)
        goals += 1
        answer = result.result().result
        if answer.error_code != 0:
            failed.append(f"{answer.error_code}: {answer.error_string}")
            say(failed[-1])
            time.sleep(PAUSE_S)
        say(f"{(time.monotonic() - begin) / 60.0:5.1f} min: {goals} paths, {len(failed)} failed, {rig.refused} refused")
    rig.keep = False
    minutes = (time.monotonic() - begin) / 60.0
    rig.tell_sim("record ")
    return {"minutes": round(minutes, 2), "paths": goals, "failed": failed, **figures(rig, record)}


def figures(rig: Rig, record: FilePath) -> dict[str, Any]:
    """Return what the kept messages and the stand-in's record show."""
    command_times, commands = (
        np.array(column) for column in zip(*sorted(rig.commands, key=lambda c: c[0]), strict=True)
    )
    command_times, first = np.unique(command_times, return_index=True)
    times, measured = (np.array(column) for column in zip(*rig.measured, strict=True))
    lag, rms = tracking(command_times, commands[first], times, measured)
    data = np.load(record)
    limits = rig.robot.arm_limits
    assert limits is not None
    found = account(data["commands"], limits)
    states = data["states"]
    clock = float((states[-1, 0] - states[0, 0]) / (states[-1, 1] - states[0, 1]))
    return {
        "refused": rig.refused,
        "lag_ms": round(1e3 * lag, 1),
        "rms_mrad": round(1e3 * rms, 3),
        "over_limits": found.over,
        "over_limits_apart_from_missed_states": found.over_apart,
        "missed_states": found.missed,
        "samples_1khz": found.samples,
        "largest_share": {
            "velocity": round(found.velocity, 3),
            "acceleration": round(found.acceleration, 3),
            "jerk": round(found.jerk, 3),
        },
        "arm_clock_rate": round(clock, 3),
    }
