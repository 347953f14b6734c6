# SPDX-License-Identifier: Apache-2.0
"""`vla bench teleop`: how soon the arm obeys a pad, and rests when the deadman opens or the pad falls silent.

The simulator's graph runs with teleop_node; a pad is played as sensor_msgs/Joy at 50 Hz. Input to setpoint: from a
stick that moves to the controller's tick that sends the first setpoint of the motion, its computation included. Rest:
from the deadman, or the last message, to the time at which the arm is to have reached the setpoint that stands still.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vla_demo.run.child import GraphEndedError, private_environment


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write the figures; return 0 when the graph ran to the end."""
    parser = argparse.ArgumentParser(prog="vla bench teleop", description=__doc__)
    parser.add_argument("--trials", type=int, default=60, help="motions, of which every second ends in silence")
    parser.add_argument("--rate", type=float, default=20.0, help="of the controller [Hz] (default: %(default)s)")
    parser.add_argument("--robot", default="fr3", help="fr3 or wx250s (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("out/bench/teleop.json"), help="file (default: %(default)s)")
    options = parser.parse_args(arguments)
    os.environ.update(private_environment(os.environ, os.getpid()))
    try:
        from vla_demo.ros.teleop import measure  # only now: rclpy reads the environment

        words = [f"robot:={options.robot}", "sim:=mujoco", "policy:=expert", f"controller_rate:={options.rate}"]
        words += ["console:=false"]
        rows = measure(words, options.rate, options.trials, options.out.with_suffix(".log"))
    except (GraphEndedError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    result = {
        "cores": os.cpu_count(),
        "load_average_at_end": os.getloadavg()[0],
        "rate_hz": options.rate,
        "robot": options.robot,
        "motions": options.trials,
        **{name: _figures(values) for name, values in rows.items()},
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    for name, values in result.items():
        print(f"{name}: {values}")
    print(f"written: {options.out}")
    return 0


def _figures(seconds: Sequence[float]) -> dict[str, float]:
    if not seconds:
        return {"trials": 0}
    p50, p99, most = (1e3 * float(np.percentile(seconds, share)) for share in (50, 99, 100))
    return {"trials": len(seconds), "p50_ms": round(p50, 1), "p99_ms": round(p99, 1), "max_ms": round(most, 1)}


if __name__ == "__main__":
    sys.exit(main())
