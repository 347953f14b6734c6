# SPDX-License-Identifier: Apache-2.0
"""Observation and instruction to a policy's input and back. Both directions keep to the map's keys, sizes and units."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from vla_core.action import ActionValueError
from vla_core.observation_map.camera import Camera
from vla_core.observation_map.observation_map import ObservationMap, StateVector
from vla_core.observation_map.part import Part, PartKind
from vla_core.robot import RobotConfig

from vla_policy.errors import ObservationError
from vla_policy.mapping.columns import joints_from_rad, joints_to_rad, numbers_of, robot_of, split
from vla_policy.mapping.grippers import read_gripper, write_gripper
from vla_policy.mapping.rotations import read_rotations, write_rotations
from vla_policy.policy import FloatArray, Image, Observation

Inputs = Mapping[str, NDArray[np.generic] | str]


def encode_observation(
    observation_map: ObservationMap, observation: Observation, instruction: str
) -> dict[str, NDArray[np.generic] | str | float]:
    """Return the policy's input by the map's keys.

    Images are (height, width, 3) uint8 as they were observed, state vectors (n,) float32. The map is bound to a robot.

    Raises:
        ObservationError: a camera, a joint or the gripper is unknown, or an image has another size.
        ConfigurationError: the map is not bound to a robot, or not complete.
    """
    robot = robot_of(observation_map)
    inputs: dict[str, NDArray[np.generic] | str | float] = {
        camera.key: _image(observation, camera) for camera in observation_map.cameras
    }
    for vector in observation_map.state:
        columns = [_written(part, observation, robot) for part in vector.parts]
        inputs[vector.key] = np.concatenate(columns).astype(np.float32)
    inputs[observation_map.prompt] = instruction
    return {**inputs, **observation_map.constants}


def encode_state(observation_map: ObservationMap, observation: Observation) -> NDArray[np.float32]:
    """Return all columns (n,) of the map's state vectors, one after another. Raises as `encode_observation`."""
    robot = robot_of(observation_map)
    columns = [_written(part, observation, robot) for vector in observation_map.state for part in vector.parts]
    return np.concatenate(columns).astype(np.float32) if columns else np.zeros(0, dtype=np.float32)


def decode_observation(observation_map: ObservationMap, inputs: Inputs, stamp: float = 0.0) -> tuple[Observation, str]:
    """Return the observation and the instruction of a policy's input.

    What the map does not carry is neutral: no joints, the tool at the base frame's origin, gripper width unknown.
    `stamp` [s] is the observation's.

    Raises:
        ObservationError: a key is missing, or an image or vector has another shape or type, or is not finite.
        ConfigurationError: the map is not bound to a robot, or not complete.
    """
    robot = robot_of(observation_map)
    wanted = [key for key in observation_map.keys if key not in observation_map.constants]
    missing = [key for key in wanted if key not in inputs]
    if missing:
        raise ObservationError(
            f"missing {', '.join(missing)}; received {', '.join(inputs)}; valid: {', '.join(wanted)}"
        )
    images = {camera.name: _checked_image(camera, inputs[camera.key]) for camera in observation_map.cameras}
    state = _State()
    for vector in observation_map.state:
        for part, values in split(vector.parts, _checked_vector(vector, inputs[vector.key])):
            state.read(part, values, robot)
    instruction = inputs[observation_map.prompt]
    if not isinstance(instruction, str):
        raise ObservationError(f"{observation_map.prompt} is a {type(instruction).__name__}; valid is a text")
    return state.observation(stamp, images), instruction


def _image(observation: Observation, camera: Camera) -> Image:
    if camera.name not in observation.images:
        raise ObservationError(f"no image of camera {camera.name}; observed are {', '.join(observation.images)}")
    image = observation.images[camera.name]
    _check_size(camera, image)
    return image


def _checked_image(camera: Camera, value: object) -> Image:
    if not isinstance(value, np.ndarray) or value.dtype != np.uint8 or value.ndim != 3 or value.shape[2] != 3:
        what = f"{value.dtype} {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__
        raise ObservationError(f"{camera.key} is {what}; valid is uint8 (height, width, 3)")
    _check_size(camera, value)
    return np.array(value)  # a writable one of its own: messages are decoded in place


def _check_size(camera: Camera, image: Image) -> None:
    if camera.height_width not in (None, image.shape[:2]):
        raise ObservationError(
            f"image of camera {camera.name} is {image.shape[0]} x {image.shape[1]}; valid is "
            f"{camera.size[0]} x {camera.size[1]} (height x width)"
        )


def _checked_vector(vector: StateVector, value: object) -> FloatArray:
    numbers = np.asarray(value)
    if numbers.shape != (vector.width,) or numbers.dtype.kind not in "fiu":
        raise ObservationError(f"{vector.key} is {numbers.dtype} {numbers.shape}; valid are ({vector.width},) numbers")
    if not np.isfinite(numbers).all():
        raise ObservationError(f"{vector.key} is {numbers}; valid are finite numbers")
    return np.asarray(numbers[None], dtype=np.float64)


def _written(part: Part, observation: Observation, robot: RobotConfig) -> FloatArray:
    """Return the columns (w,) of one part."""
    match part.part:
        case PartKind.JOINTS:
            values = joints_from_rad(part, observation.positions(part.names)[None], robot)
        case PartKind.TOOL_POSITION:
            values = observation.ee_position[None]
        case PartKind.TOOL_ROTATION:
            values = write_rotations(part.form, Rotation.from_quat(observation.ee_quaternion_xyzw[None]))
        case PartKind.GRIPPER:
            values = write_gripper(part, np.array([observed_opening(observation, robot)]), robot.gripper)
        case _:
            values = np.array([part.values])
    return np.asarray(numbers_of(part, values)[0])


def observed_opening(observation: Observation, robot: RobotConfig) -> float:
    """Return the gripper's opening, 0 closed to 1 open. Raises ObservationError where its width is unknown."""
    if math.isnan(observation.gripper_width):
        raise ObservationError("the gripper's width is unknown; does the robot report its finger joints?")
    gripper = robot.gripper
    return float((observation.gripper_width - gripper.min_width) / (gripper.max_width - gripper.min_width))


@dataclass(slots=True)
class _State:
    """What the parts of the state vectors tell."""

    joints: dict[str, float] = field(default_factory=dict)
    position: FloatArray = field(default_factory=lambda: np.zeros(3))
    quaternion: FloatArray = field(default_factory=lambda: np.array([0.0, 0.0, 0.0, 1.0]))
    width: float = math.nan

    def read(self, part: Part, values: FloatArray, robot: RobotConfig) -> None:
        match part.part:
            case PartKind.JOINTS:
                self.joints.update(zip(part.names, joints_to_rad(part, values, robot)[0], strict=True))
            case PartKind.TOOL_POSITION:
                self.position = values[0]
            case PartKind.TOOL_ROTATION:
                try:
                    self.quaternion = read_rotations(part.form, values).as_quat()[0]
                except ActionValueError as error:
                    raise ObservationError(f"tool_rotation: {error}") from error
            case PartKind.GRIPPER:
                opening = float(read_gripper(part, values, robot.gripper)[0])
                self.width = robot.gripper.min_width + opening * (robot.gripper.max_width - robot.gripper.min_width)
            case _:
                pass

    def observation(self, stamp: float, images: Mapping[str, Image]) -> Observation:
        names, positions = tuple(self.joints), np.array(list(self.joints.values()), dtype=np.float64)
        return Observation(stamp, images, names, positions, self.position, self.quaternion, self.width)
