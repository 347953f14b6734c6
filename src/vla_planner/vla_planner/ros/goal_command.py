# SPDX-License-Identifier: Apache-2.0
"""`vla goal TEXT`: a goal of several steps to the running graph, followed to its end."""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

import rclpy
from rclpy.action import ActionClient
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.utilities import remove_ros_args
from std_msgs.msg import String
from vla_core.ros.start import INTERRUPTED, RosStartError, create_node, refuse, start_ros
from vla_core.ros.time import duration_from_seconds

from vla_msgs.action import ExecuteGoal
from vla_msgs.msg import GoalStatus, GoalStep
from vla_planner.report import GoalCode, StepState

EPILOG = "exit status: 0 the goal is reached, 1 it is not, 2 wrong arguments or ROS cannot start, 130 interrupted"


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0 when the goal was reached (or the sentence was sent), 1 otherwise."""
    words = remove_ros_args(["goal", *(sys.argv[1:] if arguments is None else arguments)])[1:]
    options = _parser().parse_args(words)
    text = " ".join(options.text)
    try:
        start_ros()
        node = create_node("goal_node", options.namespace)
        return _tell(node, text, options.wait) if options.about else _follow(node, text, options)
    except RosStartError as error:
        return refuse(error)
    except TimeoutError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, ExternalShutdownException):
        return INTERRUPTED
    finally:
        rclpy.try_shutdown()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="vla goal", description=__doc__, epilog=EPILOG)
    parser.add_argument("text", nargs="+", metavar="TEXT", help="what is to be reached")
    parser.add_argument("--about", action="store_true", help="TEXT is a correction, an answer or a question instead")
    parser.add_argument("--timeout", type=float, default=0.0, metavar="S", help="[s] for the goal; 0: the planner's")
    parser.add_argument("--wait", type=float, default=30.0, metavar="S", help="[s] to wait for the graph")
    parser.add_argument("--namespace", default="", metavar="NS", help="of the graph")
    return parser


def _tell(node: Node, text: str, patience: float) -> int:
    publisher = node.create_publisher(String, "vla/goal_text", 10)
    _wait(node, lambda: publisher.get_subscription_count() > 0, patience, "planner_node does not listen")
    publisher.publish(String(data=text))
    said: list[GoalStatus] = []
    node.create_subscription(GoalStatus, "vla/goal_status", said.append, 10)
    deadline = time.monotonic() + 3.0
    while time.monotonic() < deadline:
        rclpy.spin_once(node, timeout_sec=0.1)
    print(said[-1].say if said and said[-1].say else "sent")
    return 0


def _follow(node: Node, text: str, options: argparse.Namespace) -> int:
    client = ActionClient(node, ExecuteGoal, "vla/execute_goal")
    _wait(node, client.server_is_ready, options.wait, "no planner_node answers; was the graph started with planner:=?")
    goal = ExecuteGoal.Goal(text=text, timeout=duration_from_seconds(options.timeout))
    shown = _Shown()
    sending = client.send_goal_async(goal, lambda message: shown.show(message.feedback.status))
    _wait(node, sending.done, options.wait, "planner_node did not take the goal")
    handle = sending.result()
    ending = handle.get_result_async()
    answers = node.create_publisher(String, "vla/goal_text", 10)
    _read_answers(answers)
    try:
        while not ending.done():
            rclpy.spin_once(node, timeout_sec=0.2)
    except KeyboardInterrupt:
        cancelling = handle.cancel_goal_async()
        _wait(node, cancelling.done, 5.0, "planner_node did not cancel the goal")
        print("cancelled")
        raise
    result = ending.result().result
    print(f"{GoalCode(result.code).name.lower()}: {result.text} ({len(result.steps)} steps, {result.replans} replans)")
    return 0 if result.code == ExecuteGoal.Result.FINISHED else 1


class _Shown:
    """Prints what is new in a status."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._words = ""

    def show(self, status: GoalStatus) -> None:
        lines = [_line(step) for step in status.steps if step.state != GoalStep.STATE_PLANNED]
        for number, line in enumerate(lines):
            if number >= len(self._lines) or self._lines[number] != line:
                print(f"{number + 1:2d}. {line}", flush=True)
        self._lines = lines
        words = status.question or status.say
        if words and words != self._words:
            print(f"    {words}", flush=True)
        self._words = words


def _line(step: GoalStep) -> str:
    reason = f": {step.reason}" if step.reason else ""
    return f"{step.instruction} [{StepState(step.state).name.lower()}]{reason}"


def _read_answers(publisher: Any) -> None:
    """Send what is typed while the goal runs: answers, corrections, questions."""
    if not sys.stdin.isatty():
        return

    def read() -> None:
        for line in sys.stdin:
            if line.strip():
                publisher.publish(String(data=line.strip()))

    threading.Thread(target=read, daemon=True).start()


def _wait(node: Node, condition: Any, seconds: float, problem: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{problem} (waited {seconds:g} s)")
        rclpy.spin_once(node, timeout_sec=0.1)


if __name__ == "__main__":
    sys.exit(main())
