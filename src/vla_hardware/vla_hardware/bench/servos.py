# SPDX-License-Identifier: Apache-2.0
"""The bus driver of a WidowX against emulated servos in a process of their own: time of a tick, answers lost."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from vla_core.realtime import ask_for_real_time
from vla_core.robot import load_robot_config
from vla_core.trajectory.spline import TrajectoryPoint

from vla_hardware.stream import PositionStream
from vla_hardware.widowx.arm import WidowXArm, WidowXOptions
from vla_hardware.widowx.loop import WidowXLoop

RATE_HZ, SWING_RAD, SWING_S = 20.0, 0.15, 2.0
FAULTY = 0.005  # share of answers that are lost, and of those that are damaged, in the second half


def bench_widowx(minutes: float, say: Callable[[str], None]) -> dict[str, Any]:
    """Swing the arm for `minutes`, in the second half over a bus with faults; return the figures."""
    command = [sys.executable, "-m", "vla_hardware.widowx.emulator"]
    bus = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert bus.stdout is not None
        say(ask_for_real_time())
        return _swing(bus, bus.stdout.readline().strip(), minutes)
    finally:
        assert bus.stdin is not None
        bus.stdin.close()
        bus.wait(5.0)


def _swing(bus: subprocess.Popen[str], port: str, minutes: float) -> dict[str, Any]:
    robot = load_robot_config("wx250s")
    arm = WidowXArm(robot, WidowXOptions(port=port, period=1.0 / RATE_HZ))
    stream = PositionStream(robot.limits, lag=0.15)
    loop = WidowXLoop(arm, stream, lambda reading: None)
    loop.start()
    try:
        quiet = _half(loop, stream, 30.0 * minutes)
        for fault in ("lost", "damaged"):
            _tell(bus, f"{fault} {FAULTY}")
        faulty = _half(loop, stream, 30.0 * minutes)
    finally:
        loop.stop()
        arm.close()
    return {
        **quiet,
        "minutes": minutes,
        "servos": len(arm.servos),
        "rate_hz": RATE_HZ,
        "faulty": {**faulty, "share": FAULTY},
        "fault": "" if loop.fault is None else str(loop.fault),
    }


def _tell(bus: subprocess.Popen[str], line: str) -> None:
    assert bus.stdin is not None
    assert bus.stdout is not None
    bus.stdin.write(f"{line}\n")
    bus.stdin.flush()
    bus.stdout.readline()


def _half(loop: WidowXLoop, stream: PositionStream, seconds: float) -> dict[str, Any]:
    """Swing for `seconds`; return time of a tick, answers lost and ticks without a whole reading."""
    counts = loop.arm.bus.counts
    before, ticks, incomplete, late = counts.copy(), loop.ticks, loop.incomplete, loop.late
    durations: list[float] = []
    deadline, side = time.monotonic() + seconds, 1.0
    while time.monotonic() < deadline:
        loop.durations.clear()
        reading = loop.reading
        if reading is not None and loop.fault is None:
            here, rest = reading.position, np.zeros(len(reading.position))
            way = np.array([side * SWING_RAD, 0.0, 0.0, side * SWING_RAD, 0.0, side * SWING_RAD])
            points = (TrajectoryPoint(0.0, here, rest), TrajectoryPoint(SWING_S, here + way, rest))
            stream.follow(time.monotonic(), points, here)
            side = -side
        time.sleep(min(SWING_S + 0.3, max(0.0, deadline - time.monotonic())))
        durations += loop.durations
    p50, p99 = np.percentile(durations, [50, 99]) * 1e3
    done = counts - before
    return {
        "tick_ms_p50": round(float(p50), 2),
        "tick_ms_p99": round(float(p99), 2),
        "ticks": loop.ticks - ticks,
        "late": loop.late - late,
        "asked": done["asked"],
        "lost": done["lost"],
        "incomplete_ticks": loop.incomplete - incomplete,
    }
