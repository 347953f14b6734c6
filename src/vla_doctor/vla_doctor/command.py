# SPDX-License-Identifier: Apache-2.0
"""`vla doctor`: what to check before an arm moves, as a list of verdicts and remedies. It moves and changes nothing."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from vla_core.robot import RobotConfig, RobotConfigError, load_robot_config

from vla_doctor.checks.environment import check_address, check_environment
from vla_doctor.checks.graph import check_graph
from vla_doctor.checks.machine import check_machine
from vla_doctor.verdict import Level, Verdict, error

if TYPE_CHECKING:
    from vla_doctor.checks.seen import Seen

STYLES = {Level.OK: "green", Level.WARN: "yellow", Level.ERROR: "bold red", Level.SKIPPED: "dim"}
UNHEALTHY, REFUSED = 1, 2  # exit statuses


def main(argv: Sequence[str] | None = None) -> int:
    """Return 0 where no verdict is an error, 1 where one is, 2 for an unusable command line."""
    options = parser().parse_args(argv)
    try:
        robot = load_robot_config(options.robot)
    except RobotConfigError as problem:
        print(f"vla doctor: {problem}", file=sys.stderr)
        return REFUSED
    verdicts = list(examine(options, robot))
    if options.json:
        print(json.dumps([verdict.to_dict() for verdict in verdicts], indent=2))
    else:
        print_table(verdicts, Console())
    return UNHEALTHY if any(verdict.level is Level.ERROR for verdict in verdicts) else 0


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    made = argparse.ArgumentParser(prog="vla doctor", description=__doc__)
    made.add_argument("--robot", default="fr3", help="name or file of the robot (default: %(default)s)")
    made.add_argument("--ip", default="", help="address of a Franka's controller, to be tried without moving")
    made.add_argument("--namespace", default="", help="of the graph (default: none)")
    made.add_argument("--camera", action="append", metavar="TOPIC", help="image topic; repeat it for several")
    made.add_argument("--joint-states", default="joint_states", metavar="TOPIC", help="(default: %(default)s)")
    made.add_argument("--duration", type=float, default=5.0, help="how long to listen [s] (default: %(default)s)")
    made.add_argument("--sim-time", action="store_true", help="the graph runs on /clock, as with sim_time:=true")
    made.add_argument("--no-graph", action="store_true", help="only the machine and --ip")
    made.add_argument("--json", action="store_true", help="print the verdicts as JSON")
    return made


def examine(options: argparse.Namespace, robot: RobotConfig) -> Iterator[Verdict]:
    """Yield all verdicts for the options of the command line."""
    yield from check_machine(Path.cwd())
    if options.ip:
        yield check_address(options.ip)
    if options.no_graph:
        return
    from vla_core.ros.start import RosStartError, domain_id

    try:
        yield from check_environment(os.environ, domain_id())
        yield from check_graph(listen(options, robot), robot)
    except RosStartError as problem:
        yield error("ROS", str(problem), "mend the environment and start again")


def listen(options: argparse.Namespace, robot: RobotConfig) -> Seen:
    """Return what is seen of the running graph. Raises RosStartError."""
    import rclpy
    from rclpy.parameter import Parameter
    from vla_core.ros.start import start_ros

    from vla_doctor.ros.listen import Listener

    start_ros([])
    try:
        time = [Parameter("use_sim_time", value=options.sim_time)]
        name = f"vla_doctor_{os.getpid()}"
        node = rclpy.create_node(name, namespace=options.namespace, parameter_overrides=time)
        cameras = options.camera or ["camera/image_raw"]
        try:
            return Listener(node, cameras, options.joint_states, robot.arm_command_topic).listen(options.duration)
        finally:
            node.destroy_node()
    finally:
        rclpy.try_shutdown()


def print_table(verdicts: Sequence[Verdict], console: Console) -> None:
    """Print the verdicts, and how many there are of each kind."""
    table = Table("", "checked", "found", "remedy", show_edge=False, expand=True)
    for verdict in verdicts:
        style = STYLES[verdict.level]
        table.add_row(f"[{style}]{verdict.level.value}[/{style}]", verdict.subject, verdict.found, verdict.remedy)
    console.print(table)
    counts = (f"{sum(v.level is level for v in verdicts)} {level.value}" for level in Level)
    console.print(", ".join(counts))


if __name__ == "__main__":
    sys.exit(main())
