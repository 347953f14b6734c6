# SPDX-License-Identifier: Apache-2.0
"""The few entries of config/robots/<robot>.yaml that perception needs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from vla_perception.errors import RobotConfigError


@dataclass(frozen=True, slots=True)
class RobotJoints:
    """Names of a robot's joints and frame."""

    joint_names: tuple[str, ...]  # the arm's, from base to wrist
    finger_joints: tuple[str, ...]  # one, of a symmetric gripper, or all of them
    base_frame: str


def find_robot_file(robot: str, share: Path | None) -> Path:
    """The file meant by ``robot``, a path or a bare name looked up in ``share``/config/robots.

    Raises RobotConfigError listing the robots there are.
    """
    if "/" in robot or robot.endswith((".yaml", ".yml")):
        path = Path(robot).expanduser()
        if not path.is_file():
            raise RobotConfigError(f"robot description {robot!r} is not a file")
        return path
    folder = share / "config" / "robots" if share is not None else None
    path = folder / f"{robot}.yaml" if folder is not None else Path(robot)
    if not path.is_file():
        known = sorted(entry.stem for entry in folder.glob("*.yaml")) if folder is not None else []
        valid = ", ".join(known) or "the path of a robot description"
        raise RobotConfigError(f"unknown robot {robot!r}; valid: {valid}")
    return path


def load_robot_joints(path: Path) -> RobotJoints:
    """Read the description at ``path``. Raises RobotConfigError when it is no YAML mapping or an entry is missing."""
    try:
        content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise RobotConfigError(f"robot description {path} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise RobotConfigError(f"robot description {path} holds a {type(content).__name__}; valid: a mapping")
    gripper = content.get("gripper")
    frame = content.get("base_frame")
    if not isinstance(frame, str) or not frame:
        raise RobotConfigError(f"robot description {path}: base_frame is {frame!r}; valid: a frame's name")
    finger = gripper.get("joint") if isinstance(gripper, dict) else None
    return RobotJoints(
        joint_names=_names(content.get("joints"), "joints", path),
        finger_joints=_names([finger], "gripper.joint", path),
        base_frame=frame,
    )


def _names(value: Any, key: str, path: Path) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(name, str) and name for name in value):
        raise RobotConfigError(f"robot description {path}: {key} is {value!r}; valid: names of joints")
    return tuple(value)
