# SPDX-License-Identifier: Apache-2.0
"""Seeded faults in motion: at rest in time, recovered on demand, no jump at the restart?"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path as FilePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vla_hardware.bench.motion import Path, account, load_paths, rest_after, speeds_of
from vla_hardware.ros.bench_rig import SETTLE_S, Rig, RigError

Array = NDArray[np.float64]
FAULTS = ("driver_killed", "controller_killed", "stream_cut", "estop", "reflex")
REST_S = 0.5  # [s] of the arm's clock within which the arm has to be at rest
STILL = 0.02  # [rad/s]
SPEED_OVER = 10  # states: 50 ms of the arm's clock
WATCH_S = 1.5  # [s] for which the arm is watched after a fault
AGREEMENT_S = 4.0  # [s] in which the controller believes an arm again that is elsewhere after silence
JUMP = 1.5  # times the velocity limit that the arm may move in 10 ms


def bench_faults(
    rig: Rig, runs: int, minutes: float, seed: int, out: FilePath, say: Callable[[str], None]
) -> dict[str, Any]:
    """Let `runs` faults happen, or as many as `minutes` allow; return the figures."""
    rng, paths = np.random.default_rng(seed), load_paths()
    rests: list[tuple[float, float]] = []
    violations: list[str] = []
    counts = dict.fromkeys(FAULTS, 0)
    deadline = time.monotonic() + 60.0 * minutes
    for run in range(runs):
        if time.monotonic() > deadline:
            break
        fault = FAULTS[int(rng.integers(len(FAULTS)))]
        path, share = paths[int(rng.integers(len(paths)))], float(rng.uniform(0.1, 0.8))
        record = out / "franka_fault.npz"
        rig.tell_sim(f"record {record}")
        since, restart, problems = one_fault(rig, fault, path, share)
        rig.tell_sim("record ")
        rest, found = judge(np.load(record), since, restart, rig)
        violations += [f"run {run}, {fault}: {text}" for text in (*problems, *found)]
        rests.append(rest)
        counts[fault] += 1
        clocks = f"at rest after {rest[0]:.3f} s (by our clock {rest[1]:.3f} s)"
        say(f"{run + 1:3d} {fault:17s} {clocks} {problems or ''} {found or ''}")
    return {
        "runs": len(rests),
        "in_motion": sum(rest > 0.0 for rest, _ in rests),  # in the others the arm stood when the fault came
        "seed": seed,
        "kinds": counts,
        "longest_to_rest_s": round(max(rest[0] for rest in rests), 3) if rests else None,
        "longest_to_rest_wall_s": round(max(rest[1] for rest in rests), 3) if rests else None,
        "violations": violations,
    }


def one_fault(rig: Rig, fault: str, path: Path, share: float) -> tuple[float, float, list[str]]:
    """Begin the path, let the fault happen at `share` of it, recover and move again.

    Returns the system's time [s] of the fault and of the restart, and what went wrong.
    """
    way = path.after(rig.position())
    lead = float(way.times[-1] - path.times[-1])
    rig.begin(way)
    time.sleep(lead + share * float(path.times[-1]))
    since = time.time()
    strike(rig, fault)
    time.sleep(WATCH_S)
    restart = time.time()
    try:
        problems = recover(rig, fault)
        home = Path(np.array([1.0]), rig.robot.home[None], np.zeros((1, 7)), np.zeros((1, 7)))
        again = home.after(rig.position())
        result = rig.begin(again)
        rig.wait(result.done, "end of the way home", float(again.times[-1]) + 20.0)
        answer = result.result().result
        if answer.error_code != 0:
            problems.append(f"did not move again: {answer.error_code} {answer.error_string}")
    except RigError as error:
        problems = [f"did not recover: {error}"]
    return since, restart, problems


def strike(rig: Rig, fault: str) -> None:
    """Let a fault happen."""
    if fault == "driver_killed":
        rig.kill("driver")
    elif fault == "controller_killed":
        rig.kill("controller")
    elif fault == "stream_cut":  # the controller lives, and nothing of it arrives
        os.kill(rig.processes["controller"].pid, signal.SIGSTOP)
    elif fault == "estop":
        rig.call("controller_node/estop")
    else:
        rig.tell_sim("reflex joint_reflex")


def recover(rig: Rig, fault: str) -> list[str]:
    """Undo a fault as a person does; return what was not as it should be."""
    problems: list[str] = []
    if fault == "driver_killed":
        rig.start_driver()
        time.sleep(AGREEMENT_S)
    elif fault == "controller_killed":
        rig.start_controller()
    elif fault == "stream_cut":
        os.kill(rig.processes["controller"].pid, signal.SIGCONT)
        time.sleep(SETTLE_S)
    elif fault == "estop":
        done, text = rig.call("controller_node/reset_estop")
        problems += [] if done else [f"reset_estop: {text}"]
    else:
        rig.wait(lambda: rig.arm_fault == "joint_reflex", "the reflex's name on /diagnostics", 5.0)
        done, text = rig.call("franka_driver_node/recover")
        problems += [] if done else [f"recover: {text}"]
        time.sleep(1.0)
    return problems


def judge(record: Any, since: float, restart: float, rig: Rig) -> tuple[tuple[float, float], list[str]]:
    """Return the time to rest [s] by the arm's clock and by ours, and the violations that the record shows."""
    states = record["states"]
    arm_clock, wall, q = states[:, 0], states[:, 1], states[:, 2:9]
    speeds = speeds_of(arm_clock, q, SPEED_OVER)
    at = float(np.interp(since, wall, arm_clock))
    rest = rest_after(arm_clock, speeds, at, float(np.interp(restart, wall, arm_clock)), STILL)
    rest_wall = rest_after(wall, speeds, since, restart, STILL)
    limits = rig.robot.arm_limits
    assert limits is not None
    found = [f"moved {rest:.3f} s after the fault"] if rest > REST_S else []
    after = wall > restart
    if after.sum() > 2:
        step = np.abs(np.diff(q[after], axis=0)) / (JUMP * limits.velocity * np.diff(arm_clock[after])[:, None])
        found += [f"a jump of {step.max():.1f} times what is allowed"] if step.max() > 1.0 else []
    over = account(record["commands"], limits).over
    found += [f"{over} commands over the arm's limits"] if over else []
    return (rest, rest_wall), found
