# SPDX-License-Identifier: Apache-2.0
"""What the controller must know about a robot, read from ``config/robots/<robot>.yaml``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml

from vla_core.config_file import find_config
from vla_core.urdf.model_source import ModelSource, parse_model

Array = npt.NDArray[np.float64]


class RobotConfigError(ValueError):
    """A robot description is missing or unusable; the text says what was read and what is valid."""


@dataclass(frozen=True, slots=True)
class JointLimits:
    """Limits of each arm joint, in the order of :attr:`RobotConfig.joints`."""

    lower: Array  # (n,) [rad]
    upper: Array  # (n,) [rad]
    velocity: Array  # (n,) [rad/s]
    acceleration: Array  # (n,) [rad/s^2]
    jerk: Array  # (n,) [rad/s^3]


@dataclass(frozen=True, slots=True)
class ArmLimits:
    """What the maker allows each joint at most, each (n,): a controller in the arm that exceeds it trips."""

    velocity: Array  # [rad/s]
    acceleration: Array  # [rad/s^2]
    jerk: Array  # [rad/s^3]; infinite where the maker states none


@dataclass(frozen=True, slots=True)
class GripperConfig:
    """A parallel gripper whose two fingers mirror each other; width is the distance between the pads [m]."""

    joint: str
    min_width: float
    max_width: float
    speed: float  # [m/s] of the width
    mimic_joint: str = ""  # joint of the other finger; empty: not reported by the robot

    def finger_position(self, opening: float) -> float:
        """Travel of one finger [m] for an opening in [0, 1]."""
        return 0.5 * (self.min_width + opening * (self.max_width - self.min_width))

    def opening(self, finger_position: float) -> float:
        """Opening in [0, 1] for the travel of one finger [m]."""
        raw = (2.0 * finger_position - self.min_width) / (self.max_width - self.min_width)
        return min(1.0, max(0.0, raw))


@dataclass(frozen=True, slots=True)
class Capsule:
    """A part of the arm as a collision check sees it: everything within ``radius`` of a line; a point is a sphere."""

    body: str
    start: Array  # (3,) [m] in body
    end: Array  # (3,) [m] in body
    radius: float  # [m]


@dataclass(frozen=True, slots=True)
class CollisionConfig:
    """What must not touch: pairs of bodies, and bodies with the table; distances are between their capsules."""

    shapes: tuple[Capsule, ...]
    pairs: tuple[tuple[str, str], ...]
    margin: float  # [m] kept between the bodies of a pair
    table_height: float  # [m] of the table's top in base_frame
    table: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BaseConfig:
    """A mobile base under the arm; the vectors are forward x [m/s], left y [m/s], turning about z [rad/s]."""

    velocity: Array  # (3,)
    acceleration: Array  # (3,) [m/s^2], [rad/s^2]
    jerk: Array  # (3,) [m/s^3], [rad/s^3]
    command_topic: str


@dataclass(frozen=True, slots=True)
class ToolSpeed:
    """Speeds of the tool that a policy may choose over one step; 0: no limit."""

    linear: float = 0.0  # [m/s]
    angular: float = 0.0  # [rad/s]


@dataclass(frozen=True, slots=True)
class RobotConfig:
    """One robot: names, limits, geometry and command topics."""

    robot: str
    base_frame: str
    joints: tuple[str, ...]
    model: ModelSource
    limits: JointLimits
    home: Array  # (n,) [rad]
    workspace_lower: Array  # (3,) [m] box of the tcp in base_frame
    workspace_upper: Array  # (3,) [m]
    gripper: GripperConfig
    arm_command_topic: str
    gripper_command_topic: str
    tool_speed: ToolSpeed = ToolSpeed()
    collision: CollisionConfig | None = None
    base: BaseConfig | None = None
    arm_limits: ArmLimits | None = None  # None: the maker's are not known


def load_robot_config(name_or_path: str) -> RobotConfig:
    """Read a robot by bare name (``fr3``) or by the path of its yaml file.

    Raises:
        RobotConfigError: no such file, or its contents are invalid.
    """
    try:
        path = find_config("robots", "robot", name_or_path)
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise RobotConfigError(str(error)) from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise RobotConfigError(f"cannot read robot config {name_or_path}: {error}") from error
    try:
        return read_robot_config(data, path.resolve().parent)
    except RobotConfigError as error:
        raise RobotConfigError(f"robot config {path}: {error}") from error


def read_robot_config(data: Any, folder: Path) -> RobotConfig:
    """Return the robot that plain data describes; files in it are relative to `folder`. Raises RobotConfigError."""
    try:
        return _parse(data, folder)
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise RobotConfigError(f"{type(error).__name__}: {error}") from error


def _vector(data: Mapping[str, Any], key: str, length: int) -> Array:
    vector = np.asarray(data[key], dtype=np.float64)
    if vector.shape != (length,) or not np.all(np.isfinite(vector)):
        raise ValueError(f"{key} must hold {length} finite numbers, got {data[key]!r}")
    vector.setflags(write=False)
    return vector


def _parse(data: Mapping[str, Any], folder: Path) -> RobotConfig:
    joints = tuple(str(name) for name in data["joints"])
    n = len(joints)
    model, limits, box, gripper = data["model"], data["limits"], data["workspace"], data["gripper"]
    config = RobotConfig(
        robot=str(data["robot"]),
        base_frame=str(data["base_frame"]),
        joints=joints,
        model=parse_model(model, folder),
        limits=JointLimits(**{key: _vector(limits, key, n) for key in JointLimits.__slots__}),
        home=_vector(data, "home", n),
        workspace_lower=_vector(box, "lower", 3),
        workspace_upper=_vector(box, "upper", 3),
        gripper=GripperConfig(
            str(gripper["joint"]),
            float(gripper["min_width"]),
            float(gripper["max_width"]),
            float(gripper["speed"]),
            str(gripper.get("mimic_joint", "")),
        ),
        arm_command_topic=str(data["arm_command_topic"]),
        gripper_command_topic=str(data["gripper_command_topic"]),
        tool_speed=ToolSpeed(**{key: float(value) for key, value in data.get("tool_speed", {}).items()}),
        collision=_collision(data["collision"]) if "collision" in data else None,
        base=_base(data["base"]) if "base" in data else None,
        arm_limits=_arm_limits(data["arm_limits"], n) if "arm_limits" in data else None,
    )
    _check(config)
    return config


def _collision(data: Mapping[str, Any]) -> CollisionConfig:
    shapes = tuple(
        Capsule(str(item["body"]), _vector(item, "start", 3), _vector(item, "end", 3), float(item["radius"]))
        for item in data["shapes"]
    )
    pairs = tuple((str(first), str(second)) for first in data["pairs"] for second in data["pairs"][first])
    table = tuple(str(body) for body in data["table"])
    missing = {*table, *(body for pair in pairs for body in pair)} - {shape.body for shape in shapes}
    if missing:
        raise ValueError(f"collision.shapes has none for {sorted(missing)}")
    return CollisionConfig(shapes, pairs, float(data["margin"]), float(data["table_height"]), table)


def _arm_limits(data: Mapping[str, Any], n: int) -> ArmLimits:
    jerk = _vector(data, "jerk", n) if "jerk" in data else np.full(n, np.inf)
    return ArmLimits(_vector(data, "velocity", n), _vector(data, "acceleration", n), jerk)


def _base(data: Mapping[str, Any]) -> BaseConfig:
    vectors = [_vector(data, key, 3) for key in ("velocity", "acceleration", "jerk")]
    if vectors[0].min() < 0.0 or min(vectors[1].min(), vectors[2].min()) <= 0.0:
        raise ValueError("base needs velocity >= 0, acceleration > 0 and jerk > 0")
    return BaseConfig(vectors[0], vectors[1], vectors[2], str(data["command_topic"]))


def _check_scalars(config: RobotConfig) -> None:
    """Raise ValueError for a length or speed that is not finite; those of vectors are checked where they are read."""
    gripper, tool, collision = config.gripper, config.tool_speed, config.collision
    named = {"gripper.min_width": gripper.min_width, "gripper.max_width": gripper.max_width}
    named |= {"gripper.speed": gripper.speed, "tool_speed.linear": tool.linear, "tool_speed.angular": tool.angular}
    if collision is not None:
        named |= {"collision.margin": collision.margin, "collision.table_height": collision.table_height}
        named |= {f"collision.shapes[{i}].radius": shape.radius for i, shape in enumerate(collision.shapes)}
    wrong = {name: value for name, value in named.items() if not math.isfinite(value)}
    if wrong:
        raise ValueError(f"{wrong} must be finite numbers")
    if not config.joints or len(set(config.joints)) != len(config.joints):
        raise ValueError(f"joints are {list(config.joints)}; one or more distinct names are needed")


def _check(config: RobotConfig) -> None:
    limits = config.limits
    _check_scalars(config)
    if np.any(limits.lower >= limits.upper):
        raise ValueError("limits.lower must be below limits.upper for every joint")
    if min(limits.velocity.min(), limits.acceleration.min(), limits.jerk.min()) <= 0.0:
        raise ValueError("velocity, acceleration and jerk limits must be positive")
    arm = config.arm_limits
    if arm is not None and any(np.any(getattr(arm, key) < getattr(limits, key)) for key in ArmLimits.__slots__):
        raise ValueError("limits.velocity, acceleration and jerk must not exceed arm_limits")
    if np.any(config.home < limits.lower) or np.any(config.home > limits.upper):
        raise ValueError("home lies outside the position limits")
    if np.any(config.workspace_lower >= config.workspace_upper):
        raise ValueError("workspace.lower must be below workspace.upper")
    if min(config.tool_speed.linear, config.tool_speed.angular) < 0.0:
        raise ValueError(f"tool_speed must not be negative, got {config.tool_speed}")
    if not 0.0 <= config.gripper.min_width < config.gripper.max_width or config.gripper.speed <= 0.0:
        raise ValueError("gripper needs 0 <= min_width < max_width and speed > 0")
