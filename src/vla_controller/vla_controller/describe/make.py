# SPDX-License-Identifier: Apache-2.0
"""A robot file from a URDF and the answers to what it does not say."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from vla_core.robot import Capsule, GripperConfig, JointLimits, RobotConfig, ToolSpeed
from vla_core.rotation import multiply
from vla_core.urdf.model_source import ModelSource
from vla_core.urdf.tree import UrdfError, parse_urdf

from vla_controller.arm.kinematics import Kinematics
from vla_controller.describe.arm_facts import ArmFacts, Fingers, arm_facts, chosen_range
from vla_controller.describe.capsules import behind_tool, fit_capsules
from vla_controller.describe.pairs import collision_of
from vla_controller.describe.questions import answer
from vla_controller.describe.reach import find_home
from vla_controller.describe.shapes import clouds

Array = npt.NDArray[np.float64]

LIMIT_MARGIN = 0.05  # [rad] kept from the description's position limits
STOP_TIME = 0.45  # [s] in which every joint is to stop
TIP = 0.003  # [m] radius of the capsule between the pads
TIP_REACH = 0.02  # [m] to either side
ROOM = 0.006  # [m] of the hand's other capsules behind the tool centre point
READABLE = "STL, OBJ, box, cylinder, sphere"
HOME_MISSED = 0.005  # [m], 0.05 rad: home is not where it was asked for


@dataclass(frozen=True, slots=True)
class Made:
    """A new robot, and what a person should know of how it was made."""

    config: RobotConfig
    notes: tuple[str, ...]


def make_robot(text: str, folder: Path | None, options: argparse.Namespace, ask: Callable[[str], str] | None) -> Made:
    """Return the robot that a URDF and the options of `vla robot new` describe.

    Raises:
        UrdfError: the URDF cannot be used, or an option does not fit it.
        AnswersMissingError: something is missing and nobody can be asked.
    """
    own = options.gripper_joint is not None and options.gripper_width is not None
    facts = arm_facts(parse_urdf(text), options.base, options.tcp, "" if own else options.gripper_joint or "")
    if own and (facts.fingers is None or facts.fingers.joint != options.gripper_joint):
        facts = replace(facts, fingers=None)
    wanted = ["acceleration", "jerk", "workspace", *([] if options.home is not None else ["home_tool"])]
    if facts.fingers is None:
        wanted += ["gripper_joint", "gripper_width", "gripper_speed"]
    answer(options, wanted, ask)
    notes = [f"{name} is continuous: limited to a full turn either way" for name in facts.continuous]
    if facts.fingers is None:
        notes.append(f"{options.gripper_joint} is no prismatic finger of the URDF: it is sent half the width [m]")
    config = _without_home(text, facts, options)
    config = replace(config, home=_home(config, options))
    tool = Kinematics(config).fk(config.home).position
    config = replace(config, model=replace(config.model, tcp_at_home=tool))
    if options.collision:
        config, more = _with_collision(config, text, folder, facts)
        notes += more
    return Made(config, tuple(notes))


def _without_home(text: str, facts: ArmFacts, options: argparse.Namespace) -> RobotConfig:
    ranges = np.array(chosen_range(facts, dict(options.limit), LIMIT_MARGIN))
    acceleration = _each("acceleration", options.acceleration, facts)
    jerk = _each("jerk", options.jerk, facts) if options.jerk is not None else 100.0 * acceleration
    stopping = (STOP_TIME - acceleration / jerk) * acceleration
    velocity = np.minimum([limit.velocity for limit in facts.limits], stopping)
    if velocity.min() <= 0.0:
        raise UrdfError(
            f"acceleration {acceleration.tolist()} with jerk {jerk.tolist()}: the arm could not stop in time"
        )
    box = np.array(options.workspace).reshape(2, 3)
    if np.any(box[0] >= box[1]):
        raise UrdfError(f"workspace {options.workspace}: xmin ymin zmin must be below xmax ymax zmax")
    source = ModelSource(
        "",
        "",
        facts.tcp_frame,
        np.array(options.tcp_position),
        _quaternion(options.tcp_quaternion),
        topic="robot_description",
        text=text,
    )
    return RobotConfig(
        options.name,
        facts.base,
        facts.joints,
        source,
        JointLimits(ranges[:, 0], ranges[:, 1], np.floor(velocity * 100.0) / 100.0, acceleration, jerk),
        ranges.mean(axis=1),
        box[0],
        box[1],
        _gripper(facts.fingers, options),
        options.arm_topic,
        options.gripper_topic,
        ToolSpeed(0.6, 2.5),
    )


def _each(name: str, numbers: tuple[float, ...], facts: ArmFacts) -> Array:
    n = len(facts.joints)
    row = np.array(numbers * n if len(numbers) == 1 else numbers, dtype=np.float64)
    if row.shape != (n,) or row.min() <= 0.0:
        raise UrdfError(f"{name} is {list(numbers)}; valid: one number above 0, or {n}: {', '.join(facts.joints)}")
    return row


def _quaternion(numbers: tuple[float, ...]) -> Array:
    q = np.array(numbers, dtype=np.float64)
    if not math.isclose(float(np.linalg.norm(q)), 1.0, abs_tol=1e-3):
        raise UrdfError(f"the tool's quaternion is {list(numbers)}; valid: a unit quaternion x y z w")
    return multiply(q / np.linalg.norm(q), np.array([0.0, 0.0, 0.0, 1.0]))


def _gripper(fingers: Fingers | None, options: argparse.Namespace) -> GripperConfig:
    if fingers is not None:
        low, high, speed = fingers.min_width, fingers.max_width, fingers.speed
        joint, mimic = fingers.joint, fingers.mimic
    else:
        joint, mimic, (low, high) = options.gripper_joint, "", options.gripper_width
        speed = 0.1
    if options.gripper_width is not None:
        low, high = options.gripper_width
    if options.gripper_speed is not None:
        speed = options.gripper_speed[0]
    if not 0.0 <= low < high:
        raise UrdfError(f"gripper width {low:g} to {high:g} m; valid: 0 <= least < greatest")
    return GripperConfig(joint, low, high, speed, mimic)


def _home(config: RobotConfig, options: argparse.Namespace) -> Array:
    if options.home is not None:
        home, limits = np.array(options.home), config.limits
        if home.shape != limits.lower.shape or np.any(home < limits.lower) or np.any(home > limits.upper):
            low, high = limits.lower.round(3).tolist(), limits.upper.round(3).tolist()
            raise UrdfError(f"home is {list(options.home)}; valid: {len(low)} joints from {low} to {high} rad")
        return home
    wanted = np.array(options.home_tool)
    home, off, turn = find_home(config, wanted)
    if off > HOME_MISSED or turn > 10.0 * HOME_MISSED:
        raise UrdfError(
            f"the arm does not reach {wanted.tolist()} m with its tool pointing down: it stays {1000 * off:.0f} mm and "
            f"{np.degrees(turn):.0f} deg away; choose another --home-tool, check --tcp and --tcp-quaternion (z out of "
            "the hand), or give --home"
        )
    return np.round(home, 4)


def _with_collision(
    config: RobotConfig, text: str, folder: Path | None, facts: ArmFacts
) -> tuple[RobotConfig, list[str]]:
    cloud = clouds(text, folder, facts)
    hand, shapes, notes = cloud.links[-1], list[Capsule](), list[str]()
    tcp, axis, opening = _tool_in(config, hand)
    for link, points in zip(cloud.links, cloud.points, strict=True):
        if not len(points):
            notes.append(f"{link} has no collision shape that can be read ({READABLE}): it is not watched")
            continue
        fitted = fit_capsules(link, points)
        shapes += behind_tool(fitted, tcp, axis, ROOM) if link == hand else fitted
    if not shapes:
        return config, [*notes, "no link has a shape: the file has no collision check"]
    if len(cloud.points[-1]):
        tip = tcp - TIP * axis
        shapes.append(Capsule(hand, tip - TIP_REACH * opening, tip + TIP_REACH * opening, TIP))
    collision, left = collision_of(config, shapes, cloud.links)
    return replace(config, collision=collision), [*notes, *left]


def _tool_in(config: RobotConfig, hand: str) -> tuple[Array, Array, Array]:
    """Tool centre point (3,) [m], its z axis and its y axis in the link `hand`."""
    source = config.model
    on_hand = ModelSource(source.package, source.file, hand, topic=source.topic, text=source.text)
    link, tool = Kinematics(replace(config, model=on_hand)).fk(config.home), Kinematics(config).fk(config.home)
    back, axes = _matrix(link.quaternion).T, _matrix(tool.quaternion)
    return back @ (tool.position - link.position), back @ axes[:, 2], back @ axes[:, 1]


def _matrix(q: Array) -> Array:
    x, y, z, w = q
    return np.array([
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ])  # fmt: skip
