# SPDX-License-Identifier: Apache-2.0
"""Who is in the graph, and who moves the arm."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from vla_core.robot import RobotConfig

from vla_doctor.checks.limits import check_limits, check_posture
from vla_doctor.checks.seen import Seen
from vla_doctor.checks.streams import CAMERA, JOINT_STATES, check_stream
from vla_doctor.verdict import Verdict, error, ok, skipped, warn

CONTROLLER = "controller_node"


def check_graph(seen: Seen, robot: RobotConfig) -> Iterator[Verdict]:
    """Yield the verdicts about a graph."""
    yield check_nodes(seen.nodes)
    for topic, stream in seen.cameras.items():
        yield from check_stream(topic, stream, CAMERA, seen.duration_s)
    yield from check_stream("joint_states", seen.joint_states, JOINT_STATES, seen.duration_s)
    if len(set(seen.joint_states.publishers)) > 1:
        names = ", ".join(sorted(set(seen.joint_states.publishers)))
        yield error("joint_states", f"several nodes publish it: {names}", "leave one: the controller holds the arm")
    if seen.joint_position:
        yield check_posture(seen.joint_position, robot)
    yield check_limits(seen.description, robot)
    yield check_commands(seen)


def check_nodes(nodes: tuple[str, ...]) -> Verdict:
    """Judge the names of the nodes."""
    twice = sorted(name for name, count in Counter(nodes).items() if count > 1)
    if twice:
        remedy = "end one graph, or give it a ROS_DOMAIN_ID or a namespace of its own"
        return error("nodes", f"two nodes share the name {', '.join(twice)}: two graphs run here", remedy)
    if not nodes:
        return warn("nodes", "no other node was found", "is ROS_DOMAIN_ID that of the robot?")
    return ok("nodes", f"{len(nodes)}: {', '.join(sorted(nodes))}")


def check_commands(seen: Seen) -> Verdict:
    """Judge who sends commands to the arm and who takes them."""
    topic = seen.command_topic
    controllers = [name for name in seen.command_publishers if name.rsplit("/", 1)[-1] == CONTROLLER]
    others = sorted(set(seen.command_publishers) - set(controllers))
    if others:
        return error(
            topic, f"{', '.join(others)} can move the arm beside the controller", "end it, or move by its plans"
        )
    if not seen.command_subscribers:
        return error(topic, "nobody takes commands for the arm", "start the driver; is its controller active?")
    if len(seen.command_subscribers) > 1:
        names = ", ".join(sorted(seen.command_subscribers))
        return warn(topic, f"several nodes listen: {names}", "make sure that one arm alone moves")
    if not controllers:
        return skipped(topic, f"{seen.command_subscribers[0]} listens; controller_node does not run")
    return ok(topic, f"{controllers[0]} sends, {seen.command_subscribers[0]} listens")
