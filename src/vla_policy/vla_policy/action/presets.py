# SPDX-License-Identifier: Apache-2.0
"""The action spaces of published models and of the shipped checkpoint, by name.

A checkpoint carries its own space; these are where a new one starts. The unit of the gripper dimension tells its
sense: `opening` (0 closed, 1 open) or `closing` (-1 open it, 0 leave it, 1 close it).
"""

import math

from vla_core.action import ActionMode, DeltaReference

from vla_policy.action.space import ActionSpace, Dimension, RotationFormat, Rounding, discrete
from vla_policy.errors import ActionSpaceError

_MODES = ("terminate", "arm", "base")


def _dimensions(names: str, limit: float, unit: str) -> tuple[Dimension, ...]:
    return tuple(Dimension(name, -limit, limit, unit) for name in names.split())


# Ranges and order as in Open X-Embodiment models/rt1.py; binning truncates.
RT1 = ActionSpace(
    "rt1",
    (
        discrete("mode", *_MODES),
        *_dimensions("x y z", 1.0, "m"),
        *_dimensions("roll pitch yaw", math.pi / 2, "rad"),
        Dimension("gripper", -1.0, 1.0, "closing"),
        *_dimensions("base_yaw", math.pi, "rad"),
        *_dimensions("base_x base_y", 1.0, "m"),
    ),
    rounding=Rounding.TRUNCATE,
)

# Eight integers with terminate FIRST. The paper gives no ranges; it was trained on RT-1's data, so these are RT-1's.
RT2 = ActionSpace(
    "rt2",
    (
        discrete("terminate", "continue", "terminate"),
        *_dimensions("x y z", 1.0, "m"),
        *_dimensions("roll pitch yaw", math.pi / 2, "rad"),
        Dimension("gripper", -1.0, 1.0, "closing"),
    ),
    rounding=Rounding.TRUNCATE,
)

# Ranges are the normalised ones: give the data set's 1 % and 99 % quantiles to `with_ranges` for physical values.
# The gripper is left alone by OpenVLA's normalisation: it is 0 to 1 but binned over [-1, 1].
OPENVLA = ActionSpace(
    "openvla",
    (
        *_dimensions("x y z", 1.0, "m"),
        *_dimensions("roll pitch yaw", 1.0, "rad"),
        Dimension("gripper", -1.0, 1.0, "opening"),
    ),
    rounding=Rounding.CENTRES,
    rotation=RotationFormat.RPY,
)

# Absolute joint targets. Give the robot's own limits to `with_ranges`.
JOINT = ActionSpace(
    "joint",
    (
        *_dimensions(" ".join(f"joint_{i}" for i in range(1, 8)), math.pi, "rad"),
        *_dimensions("base_x base_y", 1.0, "m/s"),
        *_dimensions("base_yaw", 1.0, "rad/s"),
        Dimension("gripper", 0.0, 1.0, "opening"),
    ),
    mode=ActionMode.JOINT_POSITION,
)

# The shipped lite checkpoint: a table-top arm, 6 cm and 22.5 degrees a step at most.
RT1_TABLETOP = ActionSpace(
    "rt1_tabletop",
    (
        *_dimensions("x y z", 0.06, "m"),
        *_dimensions("roll pitch yaw", math.pi / 8, "rad"),
        Dimension("gripper", 0.0, 1.0, "opening"),
        *_dimensions("base_x base_y", 1.0, "m/s"),
        *_dimensions("base_yaw", 1.0, "rad/s"),
        discrete("mode", *_MODES),
    ),
    delta_reference=DeltaReference.OBSERVED,
)

# RT-2's eight integers over the same ranges.
RT2_TABLETOP = ActionSpace(
    "rt2_tabletop",
    (
        discrete("terminate", "continue", "terminate"),
        *_dimensions("x y z", 0.06, "m"),
        *_dimensions("roll pitch yaw", math.pi / 8, "rad"),
        Dimension("gripper", 0.0, 1.0, "opening"),
    ),
    delta_reference=DeltaReference.OBSERVED,
)

PRESETS = {space.name: space for space in (RT1, RT2, OPENVLA, JOINT, RT1_TABLETOP, RT2_TABLETOP)}


def preset(name: str) -> ActionSpace:
    """Return a preset by name. Raises ActionSpaceError that lists the valid names."""
    if name not in PRESETS:
        raise ActionSpaceError(f"action space {name!r} is unknown; valid are {', '.join(sorted(PRESETS))}")
    return PRESETS[name]
