# SPDX-License-Identifier: Apache-2.0
"""`vla bench controller`: limits over very many chunk streams, seams against three other ways of moving, tick times."""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from vla_core.action import ActionMode
from vla_core.robot import load_robot_config

from vla_controller.arm.kinematics import Kinematics
from vla_controller.arm_controller import ArmController
from vla_controller.bench.interpolation import interpolate
from vla_controller.bench.losses import measure_losses
from vla_controller.bench.picture import draw
from vla_controller.bench.recording import Recording, joint_targets, load_recording
from vla_controller.bench.rig import Bench
from vla_controller.bench.seams import WAYS, Arm, Seams, judge, this_controller, times_of, tool_path
from vla_controller.bench.streams import STREAMS, Source
from vla_controller.bench.sweep import SweepSettings, Tally, sweep
from vla_controller.bench.swings import measure_swings
from vla_controller.path.planner import REST_TIME

Array = npt.NDArray[np.float64]

OURS = "this"


def main(argv: Sequence[str]) -> int:
    """Command line; returns the exit status: 0, or 1 when a promise was broken."""
    arguments = _parser().parse_args(argv)
    recording = load_recording(arguments.recording)
    print(f"seams: {len(recording.runs)} recorded runs of {recording.note}", flush=True)
    seams, curves = compare_ways(recording, arguments.rate)
    print("tick times", flush=True)
    ticks = {robot: time_ticks(robot, arguments.rate, arguments.ticks) for robot in arguments.robots}
    print("what the arm's own interpolation makes of the stream", flush=True)
    splines = interpolate(recording, arguments.robots, arguments.rate, arguments.interpolated)
    losses = measure_losses(recording, 1.0 / arguments.rate)
    settings = SweepSettings(
        arguments.streams, arguments.seed, tuple(arguments.robots), arguments.rate, arguments.seconds
    )
    tally = sweep(settings, arguments.workers, lambda line: print(line, flush=True), arguments.minutes)
    report = {
        "machine": {"processor": platform.processor() or platform.machine(), "cpus": os.cpu_count()},
        "streams": _sweep_report(settings, tally),
        "seams": {"source": recording.source, "note": recording.note, "rate_hz": arguments.rate, **seams},
        "swings": measure_swings(config := load_robot_config(recording.robot), Kinematics(config)),
        "tick_ms": ticks,
        "policy_killed": _rest_report(tally),
        "arm_interpolation": splines,
        "commands_lost_or_late": losses,
    }
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "controller.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    draw(arguments.out / "controller.png", curves, report, tally.rests)
    _print(report)
    print(f"-> {arguments.out / 'controller.json'}, {arguments.out / 'controller.png'}")
    return 1 if tally.violations or splines["refused"] else 0


def compare_ways(recording: Recording, rate: float) -> tuple[dict[str, Any], dict[str, Array]]:
    """Figures of each way, the worst of all runs (rms errors: over all runs), and commands of the first run."""
    config = load_robot_config(recording.robot)
    controller, arm, top = ArmController(config, 1.0 / rate), Arm(config), config.limits.velocity
    found: dict[str, list[Seams]] = {name: [] for name in (*WAYS, OURS)}
    curves: dict[str, Array] = {}
    for number, run in enumerate(recording.runs):
        targets = joint_targets(run, config, controller.kinematics, controller.settings.latency_budget)
        times = times_of(targets)
        path = tool_path(targets, controller.kinematics.fk(run.start).position, times)
        for name in found:
            way = WAYS.get(name)
            command = way(targets, run.start, times) if way else this_controller(controller, 1.0 / rate, run, times)
            found[name].append(judge(command, arm.follow(command), path, controller.kinematics, top))
            if number == 0:
                curves[name] = command
    feasible = [k for k, seams in enumerate(found["linear"]) if seams.peak_speed <= 1.0]
    ways = {name: {**_over_runs(rows), "runs": [asdict(row) for row in rows]} for name, rows in found.items()}
    ratios = _ratios(found, range(len(recording.runs)))
    inside = _ratios(found, feasible) if feasible else {}
    return {"ways": ways, "ratios": ratios, "runs_within_speed_limits": feasible, "ratios_of_those": inside}, curves


def _ratios(found: Mapping[str, Sequence[Seams]], runs: Sequence[int]) -> dict[str, float]:
    base, ours = (_over_runs([found[name][k] for k in runs]) for name in ("linear", OURS))
    falls = ("peak_acceleration", "peak_acceleration_20_hz", "peak_jerk", "arm_peak_acceleration", "arm_peak_jerk")
    ratios = {f"{key} linear / this": base[key] / ours[key] for key in falls}
    return ratios | {f"{key} this / linear": ours[key] / base[key] for key in ("tracking_rms", "tracking_max")}


def _over_runs(rows: Sequence[Seams]) -> dict[str, float]:
    values = {key: np.array([asdict(row)[key] for row in rows]) for key in Seams.__slots__}
    return {
        key: float(np.sqrt(np.mean(v**2)) if key.endswith("rms") else v.mean() if "delay" in key else v.max())
        for key, v in values.items()
    }


def time_ticks(robot: str, rate: float, count: int) -> dict[str, dict[str, float]]:
    """p50 and p99 [ms] of a tick that follows poses (inverse kinematics) and joints: on the clock, and of the CPU."""
    controller, found = ArmController(load_robot_config(robot), 1.0 / rate), {}
    for mode in (ActionMode.EE_DELTA, ActionMode.JOINT_DELTA):
        rng = np.random.default_rng(0)
        source = Source(Bench(controller, 1.0 / rate), rng)
        source.mode, source.size, source.pace, source.length = mode, 0.4, 0.2, 4
        rows: list[tuple[float, float]] = []
        while len(rows) < count:
            if len(rows) % 200 == 0:
                bench = source.bench = Bench(controller, 1.0 / rate)  # from home again
                source.next_time = 0.0
            STREAMS["steady"](source)
            controller.update_joint_state(bench.now, bench.q, np.zeros(len(bench.q)))
            clock, cpu = time.perf_counter(), time.thread_time()
            bench.tick_without_joint_state()
            rows.append((time.perf_counter() - clock, time.thread_time() - cpu))
        milliseconds = 1e3 * np.array(rows)
        for k, name in enumerate(("clock", "cpu")):
            p50, p99 = np.percentile(milliseconds[:, k], (50, 99))
            found[f"{mode.name.lower()} {name}"] = {"p50": round(float(p50), 3), "p99": round(float(p99), 3)}
    return found


def _sweep_report(settings: SweepSettings, tally: Tally) -> dict[str, Any]:
    return {
        **asdict(settings),
        "asked_for": settings.streams,
        "streams": sum(tally.streams.values()),
        "violations": sum(tally.violations.values()),
        "violations_by_kind": dict(tally.violations),
        "examples": tally.examples,
        "by_robot_and_kind": dict(sorted(tally.streams.items())),
        "setpoints": tally.setpoints,
        "chunks_accepted": tally.accepted,
        "chunks_refused": tally.refused,
        "refusals": dict(tally.refusals.most_common()),
        "least_clearance_mm": None if tally.clearance == float("inf") else round(1e3 * tally.clearance, 3),
    }


def _rest_report(tally: Tally) -> dict[str, Any]:
    rests = np.array(tally.rests or [0.0])
    return {
        "at_most_s": REST_TIME,
        "streams_still_moving_at_the_last_due_step": len(tally.rests),
        "rest_after_last_due_step_s": {
            name: round(float(np.percentile(rests, share)), 3)
            for name, share in (("p50", 50), ("p99", 99), ("max", 100))
        },
    }


def _print(report: dict[str, Any]) -> None:
    streams = report["streams"]
    print(f"{streams['streams']} streams, {streams['setpoints']} setpoints: {streams['violations']} violations")
    for name, row in report["seams"]["ways"].items():
        print(
            f"{name:10} peak {row['peak_acceleration']:9.1f} rad/s2 (at 20 Hz {row['peak_acceleration_20_hz']:5.1f}), "
            f"{row['peak_jerk']:11.0f} rad/s3; arm {row['arm_peak_acceleration']:6.1f} rad/s2, "
            f"tool off by {1e3 * row['tracking_rms']:4.1f} mm rms after {row['delay_ms']:3.0f} ms"
        )
    runs, inside = report["seams"]["runs_within_speed_limits"], report["seams"]["ratios_of_those"]
    for name, value in report["seams"]["ratios"].items():
        print(f"  {name}: {value:.2f}; of runs {runs}, which keep the speed limits, {inside.get(name, np.nan):.2f}")
    print("near joint limits: " + ", ".join(f"{name} {value:.3f}" for name, value in report["swings"].items()))
    for robot, row in report["tick_ms"].items():
        print(f"tick {robot}: " + ", ".join(f"{name} p50 {v['p50']} p99 {v['p99']} ms" for name, v in row.items()))
    for sort, row in report["arm_interpolation"].items():
        if isinstance(row, dict):
            _print_shares(sort, row)
    for name, row in report["commands_lost_or_late"].items():
        print(f"{name}: step {row['step_mrad']:.2f} mrad; shares {_shares({**row, 'step_mrad': 0.0})}")
    print(f"at rest after the last due step: {report['policy_killed']['rest_after_last_due_step_s']}")


def _print_shares(sort: str, row: dict[str, Any]) -> None:
    print(
        f"shares of the arm's limits, {sort}: " + "; ".join(f"{name}: {_shares(found)}" for name, found in row.items())
    )


def _shares(found: dict[str, float]) -> str:
    return " ".join(f"{name} {value:.2f}" for name, value in found.items() if value)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="vla bench controller", description=__doc__)
    parser.add_argument("--streams", type=int, default=100_000, help="chunk streams (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--robots", nargs="+", default=["fr3", "wx250s"], help="default: fr3 wx250s")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--rate", type=float, default=20.0, help="setpoints per second [Hz]")
    parser.add_argument("--seconds", type=float, default=1.5, help="that the policy of each stream lives [s]")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no stream after that; default: all")
    parser.add_argument("--interpolated", type=int, default=60, help="streams whose splines are judged at 1 kHz")
    parser.add_argument("--ticks", type=int, default=2000, help="ticks timed for each robot and mode")
    parser.add_argument("--recording", type=Path, help="made by python -m vla_training.bench.record_chunks")
    parser.add_argument("--out", type=Path, default=Path("out/bench"), help="folder (default %(default)s)")
    return parser
