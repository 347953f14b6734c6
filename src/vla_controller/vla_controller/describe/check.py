# SPDX-License-Identifier: Apache-2.0
"""What a robot file has to fulfil before its arm moves: verdicts with remedies. No ROS, nothing moves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import numpy as np
from vla_core.robot import RobotConfig, RobotConfigError

from vla_controller.arm.kinematics import Kinematics
from vla_controller.arm_controller import ArmController
from vla_controller.bench.rig import Bench
from vla_controller.bench.streams import STREAMS, run_stream
from vla_controller.describe.reach import GRID, reach

STOP_TIME = 0.5  # [s] in which every joint has to stop from its greatest speed
DT = 0.05  # [s]
_WELL, _BADLY = 0.95, 0.5  # share of the workspace
SINGULAR = 0.06  # singular value below which inverse kinematics damps the joints
_STREAM = 4.0  # [s] of each kind of stream


class Level(Enum):
    """How a check went."""

    OK = "ok"
    WARN = "warn"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One check: what was found, and what to do about it."""

    level: Level
    subject: str
    found: str
    remedy: str = ""


def check_robot(config: RobotConfig, streams: bool = True) -> Iterator[Verdict]:
    """Yield the verdicts on a robot file; the first error of its description ends them.

    Args:
        config: the robot file.
        streams: also play every kind of action stream through the controller and account for its limits.
    """
    try:
        kinematics = Kinematics(config)
    except RobotConfigError as error:
        yield Verdict(Level.ERROR, "description", str(error), "mend model, joints or limits of the robot file")
        return
    yield Verdict(
        Level.OK,
        "description",
        f"{Path(config.model.name).name}: {len(config.joints)} joints to {config.model.tcp_body}",
    )
    yield check_stop(config)
    yield from check_home(config, kinematics)
    yield check_reach(config, kinematics)
    if streams:
        yield check_streams(config)


def check_stop(config: RobotConfig) -> Verdict:
    """Whether each joint stops in time from its greatest speed at its greatest deceleration."""
    limits = config.limits
    times = limits.velocity / limits.acceleration + limits.acceleration / limits.jerk
    slowest = int(np.argmax(times))
    found = f"from full speed {config.joints[slowest]} stops in {times[slowest]:.2f} s"
    if times[slowest] <= STOP_TIME:
        return Verdict(Level.OK, "stop", found)
    return Verdict(
        Level.ERROR, "stop", found, f"lower its velocity: at most {STOP_TIME} s, or setpoints outlive a policy"
    )


def check_home(config: RobotConfig, kinematics: Kinematics) -> Iterator[Verdict]:
    """Yield where the tool is at home, and whether the arm is clear of itself and of singularities."""
    pose = kinematics.fk(config.home)
    where = f"tool at {np.round(pose.position, 3).tolist()} m"
    low, high = config.workspace_lower, config.workspace_upper
    if np.any(pose.position < low) or np.any(pose.position > high):
        box = f"{low.tolist()} to {high.tolist()}"
        yield Verdict(Level.ERROR, "home", f"{where}, outside the workspace {box}", "move home or the box")
    else:
        yield Verdict(Level.OK, "home", where)
    tilt = np.degrees(np.arccos(np.clip(-_axis_z(pose.quaternion)[2], -1.0, 1.0)))
    level = Level.OK if tilt < 10.0 else Level.WARN
    remedy = "" if level is Level.OK else "tcp_quaternion_xyzw: z out of the hand, y along the opening"
    yield Verdict(level, "tool", f"at home its z axis is {tilt:.1f} deg from straight down", remedy)
    singular = kinematics.singularity(config.home)
    found = f"smallest singular value {singular:.3f} at home"
    if singular < SINGULAR:
        yield Verdict(Level.WARN, "singularity", found, "choose a home with bent elbow and wrist")
    else:
        yield Verdict(Level.OK, "singularity", found)
    yield check_clearance(config, kinematics)


def check_clearance(config: RobotConfig, kinematics: Kinematics) -> Verdict:
    """Whether the arm is clear of itself and the table at home."""
    if kinematics.clearance is None:
        return Verdict(Level.WARN, "collision", "the file has no collision shapes", "vla robot new writes some")
    distances = kinematics.clearance.distances(config.home)
    if not len(distances):
        return Verdict(Level.WARN, "collision", "no pair of links is watched", "add pairs or table to collision")
    least = int(np.argmin(distances))
    found = f"{kinematics.clearance.gaps[least].name}: {1000 * distances[least]:.0f} mm beyond the margin at home"
    if distances[least] > 0.0:
        return Verdict(Level.OK, "collision", found)
    return Verdict(Level.ERROR, "collision", found, "move home, or mend the shapes")


def check_reach(config: RobotConfig, kinematics: Kinematics, grid: tuple[int, int, int] = GRID) -> Verdict:
    """Whether inverse kinematics reaches the workspace from home, the tool pointing down."""
    share = reach(kinematics, config, grid)
    found = f"{share.poses:.0%} of poses over the box, tool down; {share.positions:.0%} of positions"
    if share.poses >= _WELL:
        return Verdict(Level.OK, "workspace", found)
    remedy = f"shrink the box (farthest missed at {np.round(share.worst, 2).tolist()} m) or change home"
    return Verdict(Level.WARN if share.positions >= _BADLY else Level.ERROR, "workspace", found, remedy)


def check_streams(config: RobotConfig) -> Verdict:
    """Whether every setpoint stays inside the limits for tame, wild and malformed streams of actions."""
    controller = ArmController(config, DT)
    broken: list[str] = []
    setpoints = 0
    for index, kind in enumerate(STREAMS):
        bench = Bench(controller, DT)
        result = run_stream(bench, np.random.default_rng([0, index]), kind, _STREAM)
        setpoints += len(bench.setpoints)
        broken += [f"{kind}: {violation.text}" for violation in result.violations]
    found = f"{setpoints} setpoints of {len(STREAMS)} kinds of streams, {len(broken)} outside a limit"
    if not broken:
        return Verdict(Level.OK, "streams", found)
    return Verdict(Level.ERROR, "streams", f"{found}; first: {broken[0]}", "report it with the robot file")


def _axis_z(quaternion: np.ndarray) -> np.ndarray:
    x, y, z, w = quaternion
    return np.array([2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)])
