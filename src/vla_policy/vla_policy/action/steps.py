# SPDX-License-Identifier: Apache-2.0
"""Action vectors of a space to ActionSteps and back, driven by the names and units of the space's dimensions.

Names: x y z, roll pitch yaw, gripper, base_x base_y base_yaw, joint_*, and one of the discrete dimensions `mode`
(terminate, arm, base: only the part that it names moves) or `terminate` (continue, terminate).
A step that terminates does not move; its gripper keeps what the action says.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from vla_core.action import ActionMode, ActionStep, ActionValueError
from vla_core.rotation import rotation_vector_from_rpy, rpy_from_rotation_vector

from vla_policy.action.space import ActionSpace, RotationFormat
from vla_policy.errors import CheckpointError

FloatArray = NDArray[np.float64]
BASE_FRAME = "base"
BASE_NAMES = ("base_x", "base_y", "base_yaw")
JOINT_PREFIX = "joint_"
CLOSING_THRESHOLD = 0.5  # a `closing` value nearer to 0 than this leaves the gripper as it is


def check_space(space: ActionSpace) -> ActionSpace:
    """Return a space whose actions become motion. Raises CheckpointError for another frame, and for absolute poses."""
    if space.frame != BASE_FRAME:
        raise CheckpointError(
            f"action space {space.name} is in the frame {space.frame!r}; valid is {BASE_FRAME!r}, the robot's"
        )
    if space.mode is ActionMode.EE_POSE:
        raise CheckpointError(f"action space {space.name} has mode ee_pose; valid are ee_delta and joint_*")
    return space


def step_from_vector(space: ActionSpace, vector: ArrayLike, period_s: float) -> ActionStep:
    """Return the step of an action (d,) in the units of `space`; period_s [s] turns displacements into velocities.

    Raises ActionValueError for a wrong shape, for numbers that are not finite and for modes other than EE_DELTA and the
    joint modes.
    """
    values = np.asarray(vector, dtype=np.float64)
    if values.shape != (len(space.dimensions),) or not np.isfinite(values).all():
        raise ActionValueError(
            f"action has shape {values.shape} and values {values}; valid are "
            f"({len(space.dimensions)},) finite numbers in the order {', '.join(space.names)}"
        )
    if space.mode is ActionMode.EE_POSE:
        raise ActionValueError("a vector of mode ee_pose cannot become a step; valid are ee_delta and joint_*")
    terminate, arm, base = _parts(space, values)
    joints = _joints(space, values)
    moves = arm and not terminate
    return ActionStep(
        translation=_get(space, values, ("x", "y", "z")) if moves else np.zeros(3),
        rotation_vector=_rotation(space, values) if moves else np.zeros(3),
        gripper=_gripper(space, values) if arm or terminate else float("nan"),
        base=_base_velocity(space, values, period_s) if base and not terminate else np.zeros(3),
        terminate=terminate,
        joints=joints if joints.size else None,
    )


def vector_from_step(space: ActionSpace, step: ActionStep, period_s: float) -> FloatArray:
    """Return the action (d,) in the units of `space` that `step_from_vector` turns into `step`.

    A gripper of NaN becomes the value that changes least: 0 of `closing`, half open otherwise. Values are not clipped:
    the tokenizer does that and says so.
    """
    values = np.zeros(len(space.dimensions))
    rotation = step.rotation_vector
    if space.rotation is RotationFormat.RPY:
        rotation = rpy_from_rotation_vector(rotation)
    scale = np.array([_base_scale(space, name, period_s) for name in BASE_NAMES])
    _put(space, values, ("x", "y", "z"), step.translation)
    _put(space, values, ("roll", "pitch", "yaw"), rotation)
    _put(space, values, BASE_NAMES, step.base / scale)
    _put(space, values, ("gripper",), np.array([_gripper_value(space, step.gripper)]))
    names = _joint_names(space)
    if names:
        if step.joints is None or step.joints.shape != (len(names),):
            raise ActionValueError(f"step has joints {step.joints}; valid are {len(names)} for {space.name}")
        _put(space, values, names, step.joints)
    _put_discrete(space, values, step)
    return values


def _category(space: ActionSpace, values: FloatArray, name: str) -> str | None:
    if name not in space.names:
        return None
    dimension = space.dimensions[space.index(name)]
    index = int(np.rint(values[space.index(name)]))
    if dimension.categories is None or not 0 <= index < len(dimension.categories):
        raise ActionValueError(f"{name} is {index}; valid is an index of {dimension.categories}")
    return dimension.categories[index]


def _parts(space: ActionSpace, values: FloatArray) -> tuple[bool, bool, bool]:
    """Return whether this action terminates, moves the arm, moves the base."""
    mode = _category(space, values, "mode")
    if mode is not None:
        return mode == "terminate", mode == "arm", mode == "base"
    return _category(space, values, "terminate") == "terminate", True, True


def _get(space: ActionSpace, values: FloatArray, names: tuple[str, ...]) -> FloatArray:
    return np.array([values[space.index(name)] if name in space.names else 0.0 for name in names])


def _put(space: ActionSpace, values: FloatArray, names: tuple[str, ...], numbers: FloatArray) -> None:
    for name, number in zip(names, numbers, strict=True):
        if name in space.names:
            values[space.index(name)] = number


def _rotation(space: ActionSpace, values: FloatArray) -> FloatArray:
    angles = _get(space, values, ("roll", "pitch", "yaw"))
    return rotation_vector_from_rpy(angles) if space.rotation is RotationFormat.RPY else angles


def _joint_names(space: ActionSpace) -> tuple[str, ...]:
    return tuple(name for name in space.names if name.startswith(JOINT_PREFIX))


def _joints(space: ActionSpace, values: FloatArray) -> FloatArray:
    return _get(space, values, _joint_names(space))


def _unit(space: ActionSpace, name: str) -> str:
    return space.dimensions[space.index(name)].unit if name in space.names else ""


def _gripper(space: ActionSpace, values: FloatArray) -> float:
    if "gripper" not in space.names:
        return float("nan")
    value = float(values[space.index("gripper")])
    if _unit(space, "gripper") != "closing":
        return min(max(value, 0.0), 1.0)
    if abs(value) < CLOSING_THRESHOLD:
        return float("nan")
    return 0.0 if value > 0.0 else 1.0


def _gripper_value(space: ActionSpace, opening: float) -> float:
    closing = _unit(space, "gripper") == "closing"
    if np.isnan(opening):
        return 0.0 if closing else 0.5
    return 1.0 - 2.0 * opening if closing else opening


def _base_scale(space: ActionSpace, name: str, period_s: float) -> float:
    return 1.0 if _unit(space, name).endswith("/s") or name not in space.names else 1.0 / period_s


def _base_velocity(space: ActionSpace, values: FloatArray, period_s: float) -> FloatArray:
    scale = np.array([_base_scale(space, name, period_s) for name in BASE_NAMES])
    return np.asarray(_get(space, values, BASE_NAMES) * scale)


def _put_discrete(space: ActionSpace, values: FloatArray, step: ActionStep) -> None:
    arm_moves = step.translation.any() or step.rotation_vector.any() or not np.isnan(step.gripper)
    wanted = {
        "mode": "terminate" if step.terminate else "base" if step.base.any() and not arm_moves else "arm",
        "terminate": "terminate" if step.terminate else "continue",
    }
    for name, category in wanted.items():
        if name in space.names:
            categories = space.dimensions[space.index(name)].categories or ()
            if category not in categories:
                raise ActionValueError(f"{name} would be {category!r}; valid are {', '.join(categories)}")
            values[space.index(name)] = categories.index(category)
