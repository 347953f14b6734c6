# SPDX-License-Identifier: Apache-2.0
"""`vla say TEXT`: an operator's sentence to the running graph, and what the graph made of it."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence

import rclpy
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_msgs.msg import String
from vla_core.ros.start import INTERRUPTED, RosStartError, refuse, start_ros

from vla_demo.ros.client import COMMAND_TOPIC
from vla_msgs.msg import Instruction

INSTRUCTION_TOPIC = "/vla/instruction"
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
KINDS = {Instruction.KIND_TASK: "task", Instruction.KIND_STOP: "stop"}
ANSWER_S = 2.0  # for the graph to take a sentence


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0 when the graph took the sentence, 1 when there is no graph or it refused."""
    parser = argparse.ArgumentParser(
        prog="vla say", description=f"Publish TEXT on {COMMAND_TOPIC} of the running graph. 'stop' holds the arm."
    )
    parser.add_argument("text", nargs="+", metavar="TEXT")
    parser.add_argument("--timeout", type=float, default=5.0, help="[s] to find the graph (default: %(default)s)")
    options = parser.parse_args(arguments)
    try:
        start_ros()
        print(say(rclpy.create_node("say_node"), " ".join(options.text), options.timeout))
    except TimeoutError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except RosStartError as error:
        return refuse(error)
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        rclpy.try_shutdown()
    return 0


def say(node: Node, text: str, timeout: float) -> str:
    """Publish `text`; return the kind and words that the graph took it for. Raises TimeoutError."""
    heard: list[Instruction] = []
    node.create_subscription(Instruction, INSTRUCTION_TOPIC, heard.append, LATCHED)
    command = node.create_publisher(String, COMMAND_TOPIC, 10)
    if not _spin(
        node, lambda: bool(command.get_subscription_count() and node.count_publishers(INSTRUCTION_TOPIC)), timeout
    ):
        raise TimeoutError(f"nobody listens on {COMMAND_TOPIC}; does `vla up` run in this ROS domain?")
    sent = node.get_clock().now().nanoseconds
    command.publish(String(data=text))
    if not _spin(node, lambda: bool(heard) and _stamp(heard[-1]) >= sent, ANSWER_S):
        raise TimeoutError("the graph did not take it; instruction_node says why on /diagnostics")
    return f"{KINDS[heard[-1].kind]}: {heard[-1].text}"


def _spin(node: Node, condition: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end and not condition():
        rclpy.spin_once(node, timeout_sec=0.05)
    return condition()


def _stamp(message: Instruction) -> int:
    return int(message.header.stamp.sec) * 10**9 + int(message.header.stamp.nanosec)
