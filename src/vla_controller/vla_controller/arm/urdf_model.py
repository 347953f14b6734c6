# SPDX-License-Identifier: Apache-2.0
"""A URDF as MuJoCo reads it: the chain below the base frame alone, without meshes and masses; and what is refused."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from xml.etree.ElementTree import Element

import mujoco
from vla_core.model_source import DescriptionError
from vla_core.robot import RobotConfig, RobotConfigError
from vla_core.urdf import FIXED, SLIDING, Joint, Limit, Tree, UrdfError, parse_urdf

_ROUNDING = 1e-3  # [rad], [rad/s] by which the robot file's limits may exceed the description's
_COMPILER = {
    "fusestatic": "false",  # links on fixed joints keep their names
    "strippath": "false",
    "boundmass": "0.001",  # masses play no part in kinematics, but MuJoCo asks for them
    "boundinertia": "0.000001",
}


def urdf_spec(config: RobotConfig) -> mujoco.MjSpec:
    """Return the part of the robot's URDF below `base_frame`, every link as a body of its name.

    Raises:
        RobotConfigError: the URDF is missing or invalid, or is that of another arm than the robot file's.
    """
    source = config.model
    try:
        text = source.urdf()
        tree = parse_urdf(text)
        check_chain(config, tree)
    except (DescriptionError, UrdfError) as error:
        raise RobotConfigError(f"{config.robot}: {source.name}: {error}") from error
    return mujoco.MjSpec.from_string(reduced_urdf(text, tree, config.base_frame))


def check_chain(config: RobotConfig, tree: Tree) -> None:
    """Raise UrdfError where the chain from base to tool is not the arm of the robot file."""
    moving = [joint for joint in tree.chain(config.base_frame, config.model.tcp_body) if joint.kind != FIXED]
    names = tuple(joint.name for joint in moving)
    check_order(names, config.joints)
    for index, joint in enumerate(moving):
        limit = usable_limit(joint)
        low, high = config.limits.lower[index], config.limits.upper[index]
        if low < limit.lower - _ROUNDING or high > limit.upper + _ROUNDING:
            raise UrdfError(
                f"the robot file lets {joint.name} go from {low:g} to {high:g} rad, the description from "
                f"{limit.lower:g} to {limit.upper:g}: narrow limits.lower and upper, or use the description of this arm"
            )
        velocity = config.limits.velocity[index]
        if velocity > limit.velocity + _ROUNDING:
            raise UrdfError(
                f"the robot file lets {joint.name} turn at {velocity:g} rad/s, the description at {limit.velocity:g}: "
                "lower limits.velocity, or use the description of this arm"
            )


def check_order(found: tuple[str, ...], wanted: tuple[str, ...]) -> None:
    """Raise UrdfError unless the description has exactly the joints of the robot file, in its order."""
    if found == wanted:
        return
    if sorted(found) == sorted(wanted):
        swapped = [name for name, other in zip(wanted, found, strict=True) if name != other]
        raise UrdfError(
            f"the robot file has the joints {', '.join(swapped)} in another order than the arm: "
            f"from base to tool it has {', '.join(found)}"
        )
    raise UrdfError(
        f"it is the description of another robot: from base to tool it has the joints {', '.join(found) or 'none'}; "
        f"the robot file says {', '.join(wanted)}"
    )


def usable_limit(joint: Joint) -> Limit:
    """Return the limit of an arm's joint; raises UrdfError for a joint that the controller cannot move."""
    if joint.kind == SLIDING:
        raise UrdfError(f"joint {joint.name!r} of the arm is prismatic; valid in an arm: revolute, continuous")
    if joint.mimic is not None:
        raise UrdfError(
            f"joint {joint.name!r} of the arm follows {joint.mimic.joint!r} (<mimic>); every joint from base to tool "
            "must be driven on its own"
        )
    if joint.limit is None:
        if joint.kind == "continuous":
            return Limit(-math.inf, math.inf, math.inf)
        raise UrdfError(
            f"joint {joint.name!r} has no <limit lower=… upper=… velocity=…/>, which every revolute joint needs"
        )
    return joint.limit


def reduced_urdf(text: str, tree: Tree, base: str) -> str:
    """Return the URDF of what hangs on link `base`, which becomes the root: links and joints alone."""
    robot = ElementTree.fromstring(text)
    below = _below(tree, base)
    reduced = Element("robot", {"name": robot.get("name", "robot")})
    compiler = ElementTree.SubElement(reduced, "mujoco")
    ElementTree.SubElement(compiler, "compiler", _COMPILER)
    for link in robot.findall("link"):
        if link.get("name") in below:
            ElementTree.SubElement(reduced, "link", {"name": link.get("name", "")})
    for joint in robot.findall("joint"):
        parent = joint.find("parent")
        if parent is not None and parent.get("link") in below:
            kept = ElementTree.SubElement(reduced, "joint", dict(joint.attrib))
            kept.extend(child for child in joint if child.tag in ("parent", "child", "origin", "axis", "limit"))
    return ElementTree.tostring(reduced, encoding="unicode")


def _below(tree: Tree, base: str) -> set[str]:
    below, grown = {base}, True
    while grown:
        more = {joint.child for joint in tree.joints if joint.parent in below} - below
        below |= more
        grown = bool(more)
    return below
