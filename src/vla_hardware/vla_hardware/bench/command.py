# SPDX-License-Identifier: Apache-2.0
"""`vla bench hardware`: the driver against franky-sim, with the controller before it, as JSON."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vla_core.robot import load_robot_config

PARTS = ("franka", "faults", "widowx")
WIDOWX_MINUTES = 2.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts; return 0 where nothing was refused, over a limit or violated, 1 otherwise, 2 for wrong use."""
    parser = argparse.ArgumentParser(
        prog="vla bench hardware",
        description="Start franky-sim (libfranka's protocol on loopback), the driver and the controller; play the "
        "recorded RT-1 motion in a loop (franka), or let seeded faults happen in it (faults). widowx: the driver of a "
        "WidowX against emulated servos, in the second half over a bus with faults.",
    )
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="default: all")
    parser.add_argument(
        "--minutes", type=float, default=10.0, help="of each part, at most; widowx: 2 (default: %(default)s)"
    )
    parser.add_argument("--runs", type=int, default=200, help="faults, at most (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the faults (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("out/bench"), help="folder (default: %(default)s)")
    options = parser.parse_args(arguments)
    os.environ.setdefault("ROS_DOMAIN_ID", str(os.getpid() % 100 + 1))
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    from vla_hardware.franka.errors import ArmError
    from vla_hardware.ros.bench_rig import RigError  # only now: rclpy reads the environment

    try:
        found = _run(options)
    except (RigError, ArmError) as error:
        print(f"error: {error}; logs: {options.out / 'hardware_logs'}", file=sys.stderr)
        return 1
    return 1 if _is_bad(found) else 0


def _run(options: argparse.Namespace) -> dict[str, Any]:
    out: Path = options.out.resolve()
    file = out / "hardware.json"
    report: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    report["machine"] = {"processor": platform.processor() or platform.machine(), "cpus": os.cpu_count()}
    if "widowx" in options.parts:
        from vla_hardware.bench.servos import bench_widowx

        report["widowx"] = {**bench_widowx(min(options.minutes, WIDOWX_MINUTES), _say), "load": os.getloadavg()[1]}
    if {"franka", "faults"} & {*options.parts}:
        _run_franka(options, out, report)
    out.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    for part in options.parts:
        print(f"{part}: {json.dumps(report[part])}")
    print(f"-> {file}")
    return {part: report[part] for part in options.parts}


def _run_franka(options: argparse.Namespace, out: Path, report: dict[str, Any]) -> None:
    """Run the parts that need franky-sim, driver and controller; their figures go into `report`."""
    from vla_hardware.ros.bench_faults import bench_faults
    from vla_hardware.ros.bench_franka import bench_franka
    from vla_hardware.ros.bench_rig import Rig

    with Rig(load_robot_config("fr3"), out / "hardware_logs") as rig:
        if "franka" in options.parts:
            report["franka"] = {**bench_franka(rig, options.minutes, out, _say), "load": os.getloadavg()[1]}
        if "faults" in options.parts:
            faults = bench_faults(rig, options.runs, options.minutes, options.seed, out, _say)
            report["faults"] = {**faults, "load": os.getloadavg()[1]}


def _say(line: str) -> None:
    print(line, flush=True)


def _is_bad(found: dict[str, Any]) -> bool:
    franka, faults, widowx = (found.get(part, {}) for part in PARTS)
    return bool(
        franka.get("refused")
        or franka.get("failed")
        or franka.get("over_limits")
        or faults.get("violations")
        or widowx.get("fault")
    )


if __name__ == "__main__":
    sys.exit(main())
