# SPDX-License-Identifier: Apache-2.0
"""Corruptions by the type of the message and by name."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import Any

from vla_faults.corrupt import actions, images, joints
from vla_faults.corrupt.anything import future, garbage, old, shifted, unstamped
from vla_faults.fault import Fault, FaultError

Corruption = Callable[[Any, float, random.Random], Any]  # of a message, a magnitude and a generator
STAMPED: dict[str, Corruption] = {"old": old, "future": future, "unstamped": unstamped}
DEFAULT_STEP = 5.0  # [s] of a clock


def _clock(message: Any, magnitude: float, rng: random.Random, sign: float) -> Any:
    return shifted(message, sign * (magnitude or DEFAULT_STEP))


# Of each type the first is what "wrong" alone means.
CORRUPTIONS: dict[str, dict[str, Corruption]] = {
    "sensor_msgs/Image": {
        "rotated": images.rotated,
        "black": images.black,
        "white": images.white,
        "noisy": images.noisy,
        "torn": images.torn,
        "colours": images.colours,
        "small": images.small,
        "truncated": images.truncated,
        **STAMPED,
    },
    "sensor_msgs/JointState": {
        "biased": joints.biased,
        "swapped": joints.swapped,
        "nan": joints.nan,
        "zeros": joints.zeros,
        "degrees": joints.degrees,
        "reversed": joints.reversed_sign,
        "trembling": joints.trembling,
        "drifting": joints.drifting,
        "missing": joints.missing,
        "renamed": joints.renamed,
        "short": joints.short,
        "fast": joints.fast,
        **STAMPED,
    },
    "vla_msgs/Observation": {
        "no_state": actions.no_state,
        "nan": actions.nan_state,
        "no_images": actions.no_images,
        "black": actions.black_images,
        **STAMPED,
    },
    "vla_msgs/ActionChunk": {
        "huge": actions.huge_steps,
        "reversed": actions.reversed_steps,
        "random": actions.random_steps,
        "nan": actions.nan_steps,
        "other_instruction": actions.other_instruction,
        "other_frame": actions.other_frame,
        "empty": actions.no_steps,
        "many": actions.many_steps,
        "no_period": actions.no_period,
        **STAMPED,
    },
    "trajectory_msgs/JointTrajectory": {
        "biased": actions.biased_points,
        "nan": actions.nan_points,
        "far": actions.far_points,
        "short": actions.short_points,
        "empty": actions.no_points,
        "other_joints": actions.other_joints,
        **STAMPED,
    },
    "vla_msgs/Instruction": {
        "other_text": actions.other_text,
        "unknown_kind": actions.unknown_kind,
        "sequence_back": actions.sequence_back,
        "sequence_ahead": actions.sequence_ahead,
        **STAMPED,
    },
    "vla_msgs/OperatorHeartbeat": {
        "sequence_ahead": actions.sequence_ahead,
        "sequence_back": actions.sequence_back,
        **STAMPED,
    },
    "geometry_msgs/PoseStamped": {"moved": actions.moved_pose, "nan": actions.nan_pose, **STAMPED},
    "std_msgs/String": {"other_text": actions.other_text},
    "rosgraph_msgs/Clock": {"forward": partial(_clock, sign=1.0), "back": partial(_clock, sign=-1.0)},
}


def corruption(type_name: str, fault: Fault) -> Corruption:
    """Return what `fault` does to a message of `type_name`, such as "sensor_msgs/Image"; raises FaultError."""
    if fault.kind == "garbage":
        return garbage
    known = CORRUPTIONS.get(type_name, {})
    if fault.kind == "wrong" and (fault.detail or next(iter(known), "")) not in known:
        raise FaultError(f"corruption of {type_name} is {fault.detail!r}; valid: {', '.join(known) or 'none'}")
    return known.get(fault.detail or next(iter(known), ""), garbage)
