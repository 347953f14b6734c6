# SPDX-License-Identifier: Apache-2.0
"""`vla say TEXT`: an operator's sentence to the running graph, and what the graph made of it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.utilities import remove_ros_args
from vla_core.ros.start import INTERRUPTED, RosStartError, create_node, refuse, start_ros

from vla_msgs.msg import Instruction
from vla_operator.commands import parse_command
from vla_operator.errors import CommandError
from vla_operator.ros.delivery import COMMAND_TOPIC, Graph, NotGivenError

FLAGS = ("-h", "--help", "--first")
VALUED = ("--timeout", "--namespace")
EPILOG = (
    "exit status: 0 the graph has taken it (with --first also: it was not needed), 1 it has not, 2 wrong arguments or "
    "ROS cannot start, 130 interrupted"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0 when the graph took the sentence (or with --first did not need it), 1 otherwise."""
    words = remove_ros_args(["say", *(sys.argv[1:] if arguments is None else arguments)])[1:]
    text, options = read_arguments(words)
    try:
        command = parse_command(text)
    except CommandError as error:
        print(f"error: {error}", file=sys.stderr)
        return 0 if options.first else 1
    try:
        start_ros()
        graph = Graph(create_node("say_node", options.namespace), lambda text: print(text, file=sys.stderr, flush=True))
        if options.first:
            graph.wait_until_ready()
        print(describe(graph.say(text, command, options.timeout), graph.estopped), flush=True)
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
        usage="vla say [-h] [--namespace NS] [--timeout S] [--first] TEXT...",
        description=f"Publish TEXT on {COMMAND_TOPIC} of the running graph and print what it was taken for. A task "
        "waits until policy and controller are there; a halt word ('stop', 'no, wait!') holds the arm at once.",
        epilog=EPILOG,
    )
    parser.add_argument("--namespace", default="", metavar="NS", help="of the graph (default: none)")
    parser.add_argument("--timeout", type=float, default=30.0, metavar="S", help="[s] to wait (default: %(default)s)")
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
        if word in VALUED:
            options += [word, next(rest, "")]
        elif word in FLAGS or word.startswith(tuple(f"{name}=" for name in VALUED)):
            options.append(word)
        elif word != "--" or text:
            text.append(word)
    parsed = parser.parse_args(options)
    if not text:
        parser.error("TEXT is missing: what is the robot to do?")
    return " ".join(text), parsed


def describe(instruction: Instruction, estopped: bool = False) -> str:
    """Return what an instruction was taken for."""
    if instruction.kind != Instruction.KIND_TASK:
        return f"stop: {instruction.text} (the arm holds; say a task to move on)"
    latched = " (the emergency stop is latched: nothing moves until it is reset)" if estopped else ""
    return f"task: {instruction.text}{latched}"


if __name__ == "__main__":
    sys.exit(main())
