# SPDX-License-Identifier: Apache-2.0
"""`vla ask QUESTION`: what the running policy says about the picture that its camera sees now."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import rclpy
from rclpy.node import Node
from vla_core.ros.start import INTERRUPTED, RosStartError, create_node, refuse, start_ros

from vla_msgs.srv import Ask

SERVICE = "vla/ask"


class NoAnswerError(Exception):
    """There is no answer; the text says why."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the answer and return 0, or the reason and return 1 when there is none."""
    parser = argparse.ArgumentParser(
        prog="vla ask", description=f"Ask the policy of the running graph about what its camera sees ({SERVICE})."
    )
    parser.add_argument("question", nargs="+", metavar="QUESTION")
    parser.add_argument("--namespace", default="", metavar="NS", help="of the graph (default: none)")
    parser.add_argument("--timeout", type=float, default=5.0, help="[s] to find the graph (default: %(default)s)")
    parser.add_argument("--patience", type=float, default=60.0, help="[s] for the answer (default: %(default)s)")
    options = parser.parse_args(arguments)
    try:
        start_ros([])  # the question is not for ROS to parse
        print(
            ask(
                create_node("ask_node", options.namespace),
                " ".join(options.question),
                options.timeout,
                options.patience,
            )
        )
    except NoAnswerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except RosStartError as error:
        return refuse(error)
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        rclpy.try_shutdown()
    return 0


def ask(node: Node, question: str, timeout: float, patience: float) -> str:
    """Return the answer. `timeout` [s] to find the service, `patience` [s] for its reply. Raises NoAnswerError."""
    if any("\ud800" <= character <= "\udfff" for character in question):  # what the shell gave was not UTF-8
        raise NoAnswerError("the question is not clean UTF-8")
    client = node.create_client(Ask, SERVICE)
    if not client.wait_for_service(timeout_sec=timeout):
        raise NoAnswerError(
            f"nobody answers on {node.resolve_service_name(SERVICE)}; does `vla up` run in this ROS domain, in "
            "this namespace?"
        )
    future = client.call_async(Ask.Request(question=question))
    rclpy.spin_until_future_complete(node, future, timeout_sec=patience)
    if not future.done():
        raise NoAnswerError(f"the policy node did not reply within {patience:g} s")
    reply = future.result()
    if not reply.success:
        raise NoAnswerError(reply.message)
    return str(reply.answer)
