# SPDX-License-Identifier: Apache-2.0
"""`vla watch`: the state of the running graph, full screen in this terminal. It commands nothing."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence

import rclpy
from rclpy.executors import ExternalShutdownException
from rich.console import Console
from rich.layout import Layout
from rich.live import Live
from vla_core.robot import RobotConfigError, load_robot_config
from vla_core.ros.start import INTERRUPTED, RosStartError, create_node, refuse, start_ros

from vla_console.messages import Data
from vla_console.ros.view import GraphView
from vla_console.screen import screen

PERIOD_S = 0.25  # [s] between two pictures


def main(arguments: Sequence[str] | None = None) -> int:
    """Watch until Ctrl-C; return 0, or 2 where ROS cannot start, 1 where nothing reports within --once."""
    parser = argparse.ArgumentParser(prog="vla watch", description=__doc__)
    parser.add_argument("--namespace", default="", metavar="NS", help="of the graph (default: none)")
    parser.add_argument("--robot", default="fr3", help="whose joint limits are shown (default: %(default)s)")
    parser.add_argument("--once", type=float, metavar="S", help="wait S seconds, print the state as JSON and leave")
    options = parser.parse_args(sys.argv[1:] if arguments is None else arguments)
    try:
        robot = load_robot_config(options.robot)
        start_ros([])
        node = create_node("watch_node", options.namespace)
        view = GraphView(node)
        if options.once is not None:
            return _once(node, view, options.once)
        limits = robot.limits
        about = {"joints": robot.joints, "lower": limits.lower.tolist(), "upper": limits.upper.tolist()}
        _watch(node, view, about)
    except (RosStartError, RobotConfigError) as error:
        return refuse(error)
    except (KeyboardInterrupt, ExternalShutdownException):
        return 0 if options.once is None else INTERRUPTED
    finally:
        rclpy.try_shutdown()
    return 0


def _once(node: rclpy.node.Node, view: GraphView, seconds: float) -> int:
    _spin(node, seconds)
    state = {**view.state(), "goal": view.goal()}
    print(json.dumps({**state, "history": list(view.history), "diagnostics": view.diagnostics()}, indent=2))
    if state["controller"] is None and state["policy"] is None:
        print(f"error: no graph reports in namespace {node.get_namespace()} after {seconds:g} s", file=sys.stderr)
        return 1
    return 0


def _watch(node: rclpy.node.Node, view: GraphView, about: Data) -> None:
    with Live(console=Console(), screen=True, auto_refresh=False) as live:
        while True:
            _spin(node, PERIOD_S)
            live.update(_picture(view, about), refresh=True)


def _picture(view: GraphView, about: Data) -> Layout:
    state = {**view.state(), "goal": view.goal()}
    return screen(about, state, view.history, view.diagnostics(), view.logs)


def _spin(node: rclpy.node.Node, seconds: float) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        rclpy.spin_once(node, timeout_sec=left)


if __name__ == "__main__":
    sys.exit(main())
