# SPDX-License-Identifier: Apache-2.0
"""The text of a robot file, in the form of `config/robots`."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from vla_core.robot import Capsule, CollisionConfig, RobotConfig
from vla_core.urdf.model_source import ModelSource


def robot_file(config: RobotConfig, model: dict[str, str], made_by: str) -> str:
    """Return the YAML text of a robot.

    Args:
        config: what it says.
        model: `package` and `file`, or `topic`, as they are to stand in the file.
        made_by: the command line, for the file's head.
    """
    limits, gripper, source = config.limits, config.gripper, config.model
    lines = [
        "# SPDX-License-Identifier: Apache-2.0",
        f"# {config.robot}. Lengths [m], angles [rad]; every pose is in base_frame.",
        f"# Written by: {made_by}",
        f"robot: {config.robot}",
        f"base_frame: {config.base_frame}",
        f"joints: [{', '.join(config.joints)}]",
        "model:                       # the arm's own description; tool: z out of the hand, y along the opening",
        *(f"  {key}: {value}" for key, value in model.items()),
        *_tool(source),
        "limits:                      # positions and velocities within the description's",
        f"  lower: {_row(limits.lower)}",
        f"  upper: {_row(limits.upper)}",
        f"  velocity: {_row(limits.velocity)}        # [rad/s], low enough to stop in 0.45 s",
        f"  acceleration: {_row(limits.acceleration)}    # [rad/s^2]",
        f"  jerk: {_row(limits.jerk)}            # [rad/s^3]",
        f"home: {_row(config.home)}",
        "workspace:                   # box for the tool centre point",
        f"  lower: {_row(config.workspace_lower)}",
        f"  upper: {_row(config.workspace_upper)}",
        f"tool_speed: {{linear: {config.tool_speed.linear:g}, angular: {config.tool_speed.angular:g}}}"
        "  # [m/s], [rad/s] that a policy may choose; joint limits hold in any case",
        *(_collision(config.collision) if config.collision else ()),
        "gripper:                     # width = distance between the pads = 2 * finger position",
        f"  joint: {gripper.joint}",
        *([f"  mimic_joint: {gripper.mimic_joint}  # the other finger: same travel"] if gripper.mimic_joint else []),
        f"  min_width: {gripper.min_width:g}",
        f"  max_width: {gripper.max_width:g}",
        f"  speed: {gripper.speed:g}                 # [m/s] of the width",
        f"arm_command_topic: {config.arm_command_topic}",
        f"gripper_command_topic: {config.gripper_command_topic}",
    ]
    return "\n".join(lines) + "\n"


def _tool(source: ModelSource) -> Iterable[str]:
    yield f"  tcp_frame: {source.tcp_body}"
    if np.any(source.tcp_position):
        yield f"  tcp_position: {_row(source.tcp_position)}"
    if np.any(source.tcp_quaternion_xyzw[:3]):
        yield f"  tcp_quaternion_xyzw: {_row(source.tcp_quaternion_xyzw, 9)}"
    if source.tcp_at_home is not None:
        yield f"  tcp_at_home: {_row(source.tcp_at_home, 5)}  # [m] tells this arm's description from another's"


def _collision(collision: CollisionConfig) -> Iterable[str]:
    yield "collision:                   # capsules around the description's collision shapes"
    yield f"  margin: {collision.margin:g}               # [m] kept between the bodies of a pair"
    yield f"  table_height: {collision.table_height:g}          # [m]"
    yield "  shapes:"
    yield from (f"    - {_capsule(shape)}" for shape in collision.shapes)
    firsts = dict.fromkeys(first for first, _ in collision.pairs)
    yield (
        "  pairs:                     # the others never get near each other within the limits"
        if firsts
        else "  pairs: {}"
    )
    for first in firsts:
        yield f"    {first}: [{', '.join(second for each, second in collision.pairs if each == first)}]"
    yield f"  table: [{', '.join(collision.table)}]"


def _capsule(shape: Capsule) -> str:
    start, end = _row(shape.start, 3), _row(shape.end, 3)
    return f"{{body: {shape.body}, start: {start}, end: {end}, radius: {np.ceil(1000 * shape.radius) / 1000:g}}}"


def _row(numbers: Iterable[float], digits: int = 4) -> str:
    return f"[{', '.join(repr(round(float(number), digits) + 0.0) for number in numbers)}]"
