# SPDX-License-Identifier: Apache-2.0
"""Whether the arm's joint_trajectory_controller is configured so that it can follow the stream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vla_controller.refusals import Refusal

PARAMETERS = (
    "joints",
    "command_interfaces",
    "interpolation_method",
    "interpolate_from_desired_state",
    "allow_nonzero_velocity_at_trajectory_end",
    "cmd_timeout",
    "constraints.goal_time",
    "constraints.stopped_velocity_tolerance",
)
_LEAST_TOLERANCE = 0.1  # [rad] of constraints.<joint>.trajectory; less and the arm is held for its own lag


def tolerances(joints: Sequence[str]) -> list[str]:
    """Return the names of the parameters that bound the tracking error of each joint."""
    return [f"constraints.{joint}.trajectory" for joint in joints]


def unfit(values: Mapping[str, Any], joints: Sequence[str]) -> Refusal | None:
    """Return why no motion is possible, or none inside the limits, with the remedy."""
    taken = values.get("joints") or []
    if taken and set(taken) != set(joints):
        reason = f"it moves the joints {', '.join(taken)}; sent are {', '.join(joints)}: set its joints"
        return Refusal("unfit_controller", reason)
    if values.get("interpolation_method") == "none":
        reason = "interpolation_method is none, so that it steps from point to point: set it to splines"
        return Refusal("unfit_controller", reason)
    return None


def warnings(values: Mapping[str, Any], joints: Sequence[str], timed: bool) -> list[str]:
    """Return what makes the motion rough, each with its remedy; `timed`: the clocks agree."""
    found = []
    if not timed and not values.get("interpolate_from_desired_state", True):
        found.append(
            "the clocks differ and interpolate_from_desired_state is false, so that each setpoint starts from the "
            "measured state: synchronise the clocks, or set it to true"
        )
    if not timed and "position" in (values.get("command_interfaces") or ()):
        found.append("the clocks differ, so that a position interface gets steps: synchronise the clocks")
    for joint, name in zip(joints, tolerances(joints), strict=True):
        tolerance = values.get(name) or 0.0
        if 0.0 < tolerance < _LEAST_TOLERANCE:
            found.append(f"{name} is {tolerance} rad, so that {joint} is held for its own lag: set it to 0 or 0.1")
    return found
