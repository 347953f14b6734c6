# SPDX-License-Identifier: Apache-2.0
"""The robot file against what the robot says of itself: joints, limits, posture."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping

from vla_core.robot import RobotConfig

from vla_doctor.verdict import Verdict, error, ok, warn

TOLERANCE = 1e-3  # [rad], [rad/s]
POSTURE, LIMITS = "posture", "limits of robot_description"


def check_posture(position: Mapping[str, float], robot: RobotConfig) -> Verdict:
    """Judge where the arm stands; position: [rad] by joint."""
    missing = [name for name in robot.joints if name not in position]
    if missing:
        found = f"joint states lack {', '.join(missing)}; they have {', '.join(position)}"
        return error(POSTURE, found, f"choose the robot that is there: this is {robot.robot}")
    outside = [
        f"{name} {position[name]:.3f} rad (valid {low:.3f} to {high:.3f})"
        for name, low, high in zip(robot.joints, robot.limits.lower, robot.limits.upper, strict=True)
        if not low - TOLERANCE <= position[name] <= high + TOLERANCE
    ]
    if outside:
        return error(
            POSTURE, f"outside the limits: {', '.join(outside)}", "bring the arm back by hand or by its own tool"
        )
    return ok(POSTURE, "every joint is within its limits")


def urdf_limits(text: str) -> dict[str, tuple[float, float, float]]:
    """Return lower, upper [rad] and velocity [rad/s] by joint of a URDF; infinite where it states none.

    Raises ValueError for a text that is no URDF, or with a limit that is no number.
    """
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as problem:
        raise ValueError(f"it is no XML: {problem}") from problem
    found = {}
    for joint in root.iter("joint"):
        limit = joint.find("limit")
        if joint.get("type") not in ("revolute", "prismatic", "continuous") or not joint.get("name"):
            continue
        values = {} if limit is None else limit.attrib
        bounds = joint.get("type") != "continuous"
        lower = float(values.get("lower", 0.0)) if bounds and limit is not None else -math.inf
        upper = float(values.get("upper", 0.0)) if bounds and limit is not None else math.inf
        found[str(joint.get("name"))] = (lower, upper, float(values.get("velocity", math.inf)))
    return found


def check_limits(description: str, robot: RobotConfig) -> Verdict:
    """Judge whether the robot file stays within the limits of the URDF that the robot publishes."""
    if not description:
        remedy = "publish it with robot_state_publisher: otherwise nothing compares the robot file with the arm"
        return warn(LIMITS, "nobody publishes a robot_description", remedy)
    try:
        limits = urdf_limits(description)
    except ValueError as problem:
        return error(LIMITS, f"robot_description cannot be read: {problem}", "publish a URDF")
    missing = [name for name in robot.joints if name not in limits]
    if missing:
        found = f"robot_description lacks {', '.join(missing)}; it has {', '.join(limits)}"
        return error(LIMITS, found, f"choose the robot that is there: this is {robot.robot}")
    ours = zip(robot.joints, robot.limits.lower, robot.limits.upper, robot.limits.velocity, strict=True)
    wider = [
        name
        for name, lower, upper, velocity in ours
        if lower < limits[name][0] - TOLERANCE
        or upper > limits[name][1] + TOLERANCE
        or velocity > limits[name][2] + TOLERANCE
    ]
    if wider:
        found = f"config/robots/{robot.robot}.yaml allows more than the robot: {', '.join(wider)}"
        return error(LIMITS, found, "narrow limits.lower, upper and velocity of these joints")
    return ok(LIMITS, f"config/robots/{robot.robot}.yaml stays within them")
