# SPDX-License-Identifier: Apache-2.0
"""A policy's numbers to action chunks and back."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray
from vla_core.action import ActionChunk, ActionStep, ActionValueError
from vla_core.observation_map.observation_map import Action, ObservationMap
from vla_core.observation_map.part import BASE_AXES, Part, PartKind

from vla_policy.errors import ConfigurationError
from vla_policy.mapping.columns import numbers_of, robot_of, split
from vla_policy.mapping.grippers import read_gripper, write_gripper
from vla_policy.mapping.inputs import observed_opening
from vla_policy.mapping.motions import read_motion, write_motion
from vla_policy.policy import FloatArray, Observation


def decode_actions(
    observation_map: ObservationMap, actions: ArrayLike | Mapping[str, ArrayLike], observation: Observation
) -> ActionChunk:
    """Return the chunk of a policy's numbers made from `observation`.

    actions: (h, d), (d,) for one step, or the arrays (h, w) of an answer by their keys.

    Of h steps the first `execute` are kept. Steps relative to the observation, or along the tool's axes, become
    absolute. The map is bound to a robot.

    Raises:
        ActionValueError: another number of columns or steps, numbers that are not finite, or angles that cannot be.
        ConfigurationError: the map is not bound to a robot, or not complete.
    """
    robot, action = robot_of(observation_map), action_of(observation_map)
    columns = join_arrays(observation_map, actions) if isinstance(actions, Mapping) else actions
    numbers = _checked(observation_map, action, np.asarray(columns, dtype=np.float64))
    parts = {part.part: (part, values) for part, values in split(action.parts, numbers)}
    moves = read_motion(action, parts, observation, robot)
    openings = np.full(len(numbers), np.nan)
    if PartKind.GRIPPER in parts:
        part, values = parts[PartKind.GRIPPER]
        openings = np.clip(read_gripper(part, values, robot.gripper), 0.0, 1.0)
        openings = np.round(openings) if part.binary else openings
    base = _base(parts, len(numbers))
    ends = _terminates(parts, len(numbers))
    return ActionChunk(
        stamp=observation.stamp,
        mode=moves.mode,
        delta_reference=moves.reference,
        period=observation_map.period_s,
        steps=tuple(
            ActionStep(**moves.fields(k), gripper=float(openings[k]), base=base[k], terminate=bool(ends[k]))
            for k in range(len(numbers))
        ),
        joint_names=moves.joint_names,
    ).checked()


def encode_actions(
    observation_map: ObservationMap, chunk: ActionChunk, observation: Observation
) -> NDArray[np.float32]:
    """Return the policy's numbers (h, d) of a chunk made from `observation`: what `decode_actions` turns into it.

    A gripper that is left as it is keeps the observed opening.

    Raises:
        ActionValueError: the map's action cannot say what the chunk says.
        ConfigurationError: the map is not bound to a robot, or not complete.
    """
    robot, action = robot_of(observation_map), action_of(observation_map)
    written = write_motion(action, chunk, observation, robot)
    columns = [
        written[part.part] if part.part in written else _written(part, chunk, observation, observation_map)
        for part in action.parts
    ]
    numbers = [numbers_of(part, values) for part, values in zip(action.parts, columns, strict=True)]
    return np.concatenate(numbers, axis=1).astype(np.float32)


def action_of(observation_map: ObservationMap) -> Action:
    """Return the map's action. Raises ConfigurationError where it has none."""
    if observation_map.action is None:
        raise ConfigurationError(f"map {observation_map.name} has no action")
    return observation_map.action


def split_arrays(observation_map: ObservationMap, actions: NDArray[np.floating]) -> dict[str, NDArray[np.floating]]:
    """Return the arrays (h, w) of an answer in several arrays, by key, of all columns (h, d)."""
    spans = action_of(observation_map).arrays()
    return {key: actions[:, first:end] for key, (first, end) in spans.items()}


def join_arrays(observation_map: ObservationMap, arrays: Mapping[str, ArrayLike]) -> FloatArray:
    """Return all columns (h, d) of an answer's arrays, each (h, w). Raises ActionValueError where one is missing."""
    spans = action_of(observation_map).arrays()
    missing = [key for key in spans if key not in arrays]
    if missing:
        raise ActionValueError(f"missing {', '.join(missing)}; received {', '.join(arrays)}; valid: {', '.join(spans)}")
    found = {key: np.atleast_2d(np.asarray(arrays[key], dtype=np.float64)) for key in spans}
    for key, (first, end) in spans.items():
        lengths = {len(array) for array in found.values()}
        if found[key].ndim != 2 or found[key].shape[1] != end - first or len(lengths) != 1:
            shapes = ", ".join(f"{name} {array.shape}" for name, array in found.items())
            raise ActionValueError(f"actions are {shapes}; valid for {key} is (steps, {end - first}), steps the same")
    return np.concatenate([found[key] for key in spans], axis=1)


def _checked(observation_map: ObservationMap, action: Action, numbers: FloatArray) -> FloatArray:
    numbers = numbers[None] if numbers.ndim == 1 else numbers
    horizon = observation_map.horizon
    if numbers.ndim != 2 or numbers.shape[1] != action.width or len(numbers) < 1 or (horizon not in (0, len(numbers))):
        valid = f"({horizon or 'steps'}, {action.width})"
        raise ActionValueError(f"actions are {numbers.shape}; valid for map {observation_map.name} is {valid}")
    if not np.isfinite(numbers).all():
        step = int(np.argwhere(~np.isfinite(numbers))[0][0])
        raise ActionValueError(f"action {step} is {numbers[step]}; valid are finite numbers")
    return numbers[: observation_map.execute or None]


def _base(parts: Mapping[PartKind, tuple[Part, FloatArray]], steps: int) -> FloatArray:
    base = np.zeros((steps, len(BASE_AXES)))
    if PartKind.BASE in parts:
        part, values = parts[PartKind.BASE]
        base[:, [BASE_AXES.index(name) for name in part.names or BASE_AXES]] = values
    return base


def _terminates(parts: Mapping[PartKind, tuple[Part, FloatArray]], steps: int) -> NDArray[np.bool_]:
    if PartKind.TERMINATE not in parts:
        return np.zeros(steps, dtype=bool)
    part, values = parts[PartKind.TERMINATE]
    return values[:, 0] > part.threshold


def _written(part: Part, chunk: ActionChunk, observation: Observation, observation_map: ObservationMap) -> FloatArray:
    """Return the columns (h, w) of a part that is no motion of the arm."""
    robot = robot_of(observation_map)
    match part.part:
        case PartKind.GRIPPER:
            openings = np.array([step.gripper for step in chunk.steps])
            if np.isnan(openings).any():
                openings = np.where(np.isnan(openings), observed_opening(observation, robot), openings)
            return write_gripper(part, openings, robot.gripper)
        case PartKind.BASE:
            names = part.names or BASE_AXES
            return np.array([step.base for step in chunk.steps])[:, [BASE_AXES.index(name) for name in names]]
        case PartKind.TERMINATE:
            span = abs(part.threshold) + 1.0  # on either side of the threshold
            return np.array([[part.threshold + (span if step.terminate else -span)] for step in chunk.steps])
        case _:
            return np.zeros((len(chunk.steps), part.width))
