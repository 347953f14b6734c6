# SPDX-License-Identifier: Apache-2.0
"""`vla say TEXT`: an operator's sentence to the running graph, and what the graph made of it."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.utilities import remove_ros_args
from std_msgs.msg import String
from vla_core.ros.start import INTERRUPTED, RosStartError, refuse, start_ros

from vla_msgs.msg import ControllerStatus, Instruction, PolicyStatus
from vla_operator.commands import parse_command
from vla_operator.errors import CommandError

COMMAND_TOPIC = "/vla/text_command"
INSTRUCTION_TOPIC = "/vla/instruction"
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
ANSWER_S = 2.0  # for the graph to take a sentence
FLAGS = ("-h", "--help", "--first")
NOT_READY = (ControllerStatus.STATE_WAITING,)


class NotGivenError(RuntimeError):
    """A first instruction that is not given, and why."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0 when the graph took the sentence (or with --first did not need it), 1 otherwise."""
    words = remove_ros_args(["say", *(sys.argv[1:] if arguments is None else arguments)])[1:]
    text, options = read_arguments(words)
    try:
        parse_command(text)
    except CommandError as error:
        print(f"error: {error}", file=sys.stderr)
        return 0 if options.first else 1
    try:
        start_ros()
        node = rclpy.create_node("say_node")
        if options.first:
            wait_for_graph(node)
        print(say(node, text, options.timeout), flush=True)
    except RosStartError as error:
        return refuse(error)
    except NotGivenError as error:
        print(f"not given: {error}", flush=True)
    except TimeoutError as error:
        print(f"error: {error}", file=sys.stderr)
        return 0 if options.first else 1
    except (KeyboardInterrupt, ExternalShutdownException):
        return 0 if options.first else INTERRUPTED
    finally:
        rclpy.try_shutdown()
    return 0


def read_arguments(words: Sequence[str]) -> tuple[str, argparse.Namespace]:
    """Return the text and the options. Whatever is no option of this program is text: "-stop" too."""
    parser = argparse.ArgumentParser(
        prog="vla say",
        usage="vla say [-h] [--timeout S] [--first] TEXT...",
        description=f"Publish TEXT on {COMMAND_TOPIC} of the running graph and print what it was taken for. "
        "A halt word ('stop', 'no, wait!') holds the arm.",
    )
    parser.add_argument("--timeout", type=float, default=5.0, help="[s] to find the graph (default: %(default)s)")
    parser.add_argument(
        "--first",
        action="store_true",
        help="wait until the whole graph is ready; give nothing when somebody else has spoken meanwhile or the "
        "emergency stop is latched; end with status 0",
    )
    text: list[str] = []
    options: list[str] = []
    rest = iter(words)
    for word in rest:
        if word == "--timeout":
            options += [word, next(rest, "")]
        elif word in FLAGS or word.startswith("--timeout="):
            options.append(word)
        elif word != "--" or text:
            text.append(word)
    parsed = parser.parse_args(options)
    if not text:
        parser.error("TEXT is missing: what is the robot to do?")
    return " ".join(text), parsed


def wait_for_graph(node: Node) -> None:
    """Wait until policy and controller are ready for a task. Raises NotGivenError when none is to be given any more."""
    heard: list[Instruction] = []
    policies: list[PolicyStatus] = []
    controllers: list[ControllerStatus] = []
    subscriptions = [
        node.create_subscription(Instruction, INSTRUCTION_TOPIC, heard.append, LATCHED),
        node.create_subscription(PolicyStatus, "/vla/policy_status", policies.append, 1),
        node.create_subscription(ControllerStatus, "/vla/controller_status", controllers.append, 1),
    ]
    while not (policies and controllers and controllers[-1].state not in NOT_READY):
        del policies[:-1], controllers[:-1]
        if heard:
            raise NotGivenError(f"an operator has spoken meanwhile: {heard[-1].text!r}")
        rclpy.spin_once(node, timeout_sec=0.1)
    if controllers[-1].state == ControllerStatus.STATE_ESTOPPED:
        raise NotGivenError("the emergency stop is latched; reset it and give the instruction by `vla say`")
    if heard:
        raise NotGivenError(f"an operator has spoken meanwhile: {heard[-1].text!r}")
    for subscription in subscriptions:
        node.destroy_subscription(subscription)


def say(node: Node, text: str, timeout: float) -> str:
    """Publish `text`; return the kind and words that the graph took it for. Raises TimeoutError."""
    heard: list[Instruction] = []
    # Without durability: what was given before is no answer.
    subscription = node.create_subscription(Instruction, INSTRUCTION_TOPIC, heard.append, 10)
    command = node.create_publisher(String, COMMAND_TOPIC, 10)

    def connected() -> bool:
        return bool(command.get_subscription_count() and subscription.get_publisher_count())

    if not _spin(node, connected, timeout):
        raise TimeoutError(f"nobody listens on {COMMAND_TOPIC}; does `vla up` run in this ROS domain?")
    command.publish(String(data=text))
    if not _spin(node, lambda: bool(heard), ANSWER_S):
        raise TimeoutError("the graph did not take it; instruction_node says why on /diagnostics")
    return describe(heard[-1])


def describe(instruction: Instruction) -> str:
    """Return what an instruction was taken for."""
    if instruction.kind == Instruction.KIND_TASK:
        return f"task: {instruction.text}"
    return f"stop: {instruction.text} (the arm holds; say a task to move on)"


def _spin(node: Node, condition: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end and not condition():
        rclpy.spin_once(node, timeout_sec=0.05)
    return condition()


if __name__ == "__main__":
    sys.exit(main())
