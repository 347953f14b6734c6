# SPDX-License-Identifier: Apache-2.0
"""The narrow interface between a policy and whatever runs it, free of ROS and of any network library."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from vla_core.action import ActionChunk

from vla_policy.action.motion_limits import MotionLimits
from vla_policy.errors import InstructionError, ObservationError

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """One camera image and the robot's state at the moment it was captured.

    stamp: capture time [s]; image: (H, W, 3) uint8 rgb; joint_position [rad] or [m]; ee_position [m];
    gripper_width: distance between the finger pads [m], NaN when unknown; scene: simulator ground truth by object
    name, each (7,) position [m] and quaternion xyzw, only for policies with `uses_scene`.
    """

    stamp: float
    image: NDArray[np.uint8]  # (H, W, 3)
    joint_names: tuple[str, ...]
    joint_position: FloatArray  # (n,)
    ee_position: FloatArray  # (3,)
    ee_quaternion_xyzw: FloatArray  # (4,)
    gripper_width: float
    scene: Mapping[str, FloatArray] | None = None

    def __post_init__(self) -> None:
        """Raise ObservationError where a shape or a number is not usable."""
        if self.image.dtype != np.uint8 or self.image.ndim != 3 or self.image.shape[2] != 3 or self.image.size == 0:
            raise ObservationError(
                f"image is {self.image.dtype} {self.image.shape}; valid is uint8 (height, width, 3), not empty"
            )
        _check("joint_position", self.joint_position, (len(self.joint_names),))
        _check("ee_position", self.ee_position, (3,))
        _check("ee_quaternion_xyzw", self.ee_quaternion_xyzw, (4,))
        if abs(float(np.linalg.norm(self.ee_quaternion_xyzw)) - 1.0) > 1e-3:
            raise ObservationError(f"ee_quaternion_xyzw is {self.ee_quaternion_xyzw}; valid is a unit quaternion")


def _check(name: str, value: FloatArray, shape: tuple[int, ...]) -> None:
    if value.shape != shape:
        raise ObservationError(f"{name} has shape {value.shape}; valid is {shape}")
    if not np.isfinite(value).all():
        raise ObservationError(f"{name} is {value}; valid are finite numbers")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a policy says about a question; confidence: 0 to 1, NaN when unknown."""

    text: str
    confidence: float = float("nan")


@dataclass(frozen=True, slots=True)
class PolicyConfig:
    """What a policy factory gets; a factory ignores what it does not need.

    checkpoint: path of weights or of a recording, empty for the policy's default; device: auto, cpu or cuda; robot:
    name of the robot that it drives, empty when unknown; period_s: time between the steps of a chunk [s]; threads: for
    the numerical library, 0 leaves its own choice; options: a policy's own settings by name; limits: where and how
    fast the robot may move, for a policy that keeps to them by itself.
    """

    checkpoint: str = ""
    device: str = "cpu"
    robot: str = ""
    period_s: float = 0.2
    threads: int = 0
    options: Mapping[str, str | float | bool] = field(default_factory=dict)
    limits: MotionLimits | None = None


class Policy(ABC):
    """Maps an observation to a chunk of actions for the instruction given to `reset`.

    Wrappers (recording, replaying, remoting) have this same interface.
    """

    name: str = "policy"
    uses_scene: bool = False

    @property
    def image_size(self) -> tuple[int, int] | None:
        """(height, width) [px] that `infer` wants, or None where any size will do."""
        return None

    @property
    def checkpoint(self) -> str:
        """Name or path of what was loaded; empty when there is none."""
        return ""

    @abstractmethod
    def reset(self, instruction: str) -> None:
        """Begin a new task and forget all history. Raises InstructionError when the text cannot be served."""

    @abstractmethod
    def infer(self, observation: Observation) -> ActionChunk:
        """Return the next actions. Raises ObservationError when the observation is not usable."""

    def ask(self, observation: Observation, question: str) -> Answer:
        """Answer a question about the image; the task continues. Raises InstructionError when it cannot."""
        raise InstructionError(f"policy {self.name} cannot answer questions")

    def close(self) -> None:
        """Release files, threads and devices; the default has none."""
        return
