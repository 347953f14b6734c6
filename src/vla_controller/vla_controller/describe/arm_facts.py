# SPDX-License-Identifier: Apache-2.0
"""What a URDF says of an arm and its gripper: joints, limits, frames, fingers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from vla_core.urdf.text import links_below
from vla_core.urdf.tree import FIXED, SLIDING, Joint, Limit, Tree, UrdfError

from vla_controller.arm.urdf_model import usable_limit

FULL_TURN = 2.0 * math.pi


@dataclass(frozen=True, slots=True)
class Fingers:
    """The gripper: `joint` is commanded, `mimic` follows it or is empty; widths [m] between the pads, speed [m/s]."""

    joint: str
    mimic: str
    min_width: float
    max_width: float
    speed: float


@dataclass(frozen=True, slots=True)
class ArmFacts:
    """An arm from `base` to `tcp_frame`, as the URDF has it."""

    base: str
    tcp_frame: str
    joints: tuple[str, ...]
    limits: tuple[Limit, ...]  # one a joint; a continuous one has a range of a full turn to either side
    continuous: tuple[str, ...]
    fingers: Fingers | None


def arm_facts(tree: Tree, base: str = "", tcp_frame: str = "", finger: str = "") -> ArmFacts:
    """Return the facts of an arm.

    Args:
        tree: of the URDF.
        base: frame of every pose; empty: the last link before the first joint that moves.
        tcp_frame: link of the tool centre point; empty: one named tcp, else the end of the longest chain.
        finger: the gripper's commanded joint; empty: the prismatic one that is there.

    Raises:
        UrdfError: a link or joint does not exist or does not fit, with what is valid.
    """
    tcp_frame = tcp_frame or default_tcp(tree)
    base = base or default_base(tree, tcp_frame)
    moving = [joint for joint in tree.chain(base, tcp_frame) if joint.kind != FIXED]
    if not moving:
        raise UrdfError(f"no joint between {base!r} and {tcp_frame!r} moves; name the arm's base and tool link")
    limits = [usable_limit(joint) for joint in moving]
    for joint, limit in zip(moving, limits, strict=True):
        if not math.isfinite(limit.velocity):
            raise UrdfError(f"joint {joint.name!r} has no velocity in its <limit>; valid: more than 0 rad/s")
    return ArmFacts(
        base,
        tcp_frame,
        tuple(joint.name for joint in moving),
        tuple(
            limit if math.isfinite(limit.lower) else Limit(-FULL_TURN, FULL_TURN, limit.velocity) for limit in limits
        ),
        tuple(joint.name for joint in moving if joint.kind == "continuous"),
        find_fingers(tree, moving, finger),
    )


def default_tcp(tree: Tree) -> str:
    """Return the link that the URDF itself calls tool centre point, or the end of the chain with the most joints."""
    parents = {joint.parent for joint in tree.joints}
    named = [link for link in tree.links if link.lower().endswith(("tcp", "tool0", "ee_link", "ee_gripper_link"))]
    ends = [link for link in tree.links if link not in parents]

    def depth(link: str) -> tuple[bool, int]:
        chain = tree.chain(tree.root, link)
        turning = sum(joint.kind not in (FIXED, SLIDING) for joint in chain)
        return (link.lower().endswith("tcp"), 100 * turning + len(chain))

    return max(named or ends, key=depth)


def default_base(tree: Tree, tcp_frame: str) -> str:
    """Return the parent of the first joint that moves, or the link `base_link` above it where there is one."""
    chain = tree.chain(tree.root, tcp_frame)
    first = next((index for index, joint in enumerate(chain) if joint.kind != FIXED), 0)
    above = [joint.parent for joint in chain[: first + 1]]
    return next((link for link in above if link.endswith("base_link")), above[-1] if above else tree.root)


def find_fingers(tree: Tree, arm: list[Joint], name: str) -> Fingers | None:
    """Return the gripper behind the arm, or None where the URDF has none that is parallel.

    Raises:
        UrdfError: `name` is no prismatic joint behind the arm.
    """
    behind = links_below(tree, arm[-1].child)
    sliding = [joint for joint in tree.joints if joint.kind == SLIDING and joint.parent in behind and joint.limit]
    leaders = [joint for joint in sliding if joint.mimic is None]
    if name:
        leaders = [joint for joint in leaders if joint.name == name]
        if not leaders:
            valid = ", ".join(joint.name for joint in sliding) or "none"
            raise UrdfError(f"{name!r} is no prismatic joint behind the arm that is driven; valid: {valid}")
    if not leaders:
        return None
    leader = leaders[0]
    others = [joint for joint in sliding if joint is not leader]
    follower = next((joint for joint in others if joint.mimic is not None and joint.mimic.joint == leader.name), None)
    follower = follower or next((joint for joint in others if joint.limit == leader.limit), None)
    limit = leader.limit
    if limit is None or limit.lower < 0.0:
        return None
    speed = limit.velocity if math.isfinite(limit.velocity) else 0.05
    return Fingers(leader.name, follower.name if follower else "", 2 * limit.lower, 2 * limit.upper, 2 * speed)


def chosen_range(facts: ArmFacts, given: Mapping[str, tuple[float, float]], margin: float) -> list[tuple[float, float]]:
    """Return the position limits [rad]: those given, otherwise `margin` inside the description's.

    Raises:
        UrdfError: a name is no joint of the arm, or a range is wider than the description's.
    """
    unknown = sorted(set(given) - set(facts.joints))
    if unknown:
        raise UrdfError(f"--limit for {', '.join(unknown)}, which the arm has not; valid: {', '.join(facts.joints)}")
    ranges = []
    for name, limit in zip(facts.joints, facts.limits, strict=True):
        low, high = given.get(name, (limit.lower + margin, limit.upper - margin))
        if not limit.lower <= low < high <= limit.upper:
            raise UrdfError(f"{name}: {low:g} to {high:g} rad is no range within {limit.lower:g} to {limit.upper:g}")
        ranges.append((low, high))
    return ranges
