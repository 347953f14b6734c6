# SPDX-License-Identifier: Apache-2.0
"""The narrow interface between a policy and whatever runs it, free of ROS and of any network library.

Frames: every pose and delta is in the robot's base frame. Quaternions are x y z w. Delta semantics: the target of
step 0 is the tool pose at the observation's stamp plus the delta (translation along the base axes, rotation vector
applied from the left); the target of step k is that of step k - 1 plus its own delta.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from vla_policy.action.motion_limits import MotionLimits
from vla_policy.errors import ActionValueError, CheckpointError, InstructionError, ObservationError

__all__ = [
    "ActionChunk",
    "ActionMode",
    "ActionStep",
    "Answer",
    "CheckpointError",
    "DeltaReference",
    "InstructionError",
    "Observation",
    "ObservationError",
    "Policy",
    "PolicyConfig",
]

FloatArray = NDArray[np.float64]
ZERO_3 = np.zeros(3)
ZERO_3.setflags(write=False)


class ActionMode(IntEnum):
    """What the steps of a chunk are; the values are those of vla_msgs/ActionChunk."""

    EE_DELTA = 0
    EE_POSE = 1
    JOINT_POSITION = 2
    JOINT_DELTA = 3
    JOINT_VELOCITY = 4


class DeltaReference(IntEnum):
    """What step 0 of a delta chunk is relative to; the values are those of vla_msgs/ActionChunk."""

    OBSERVED = 0
    COMMANDED = 1


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


@dataclass(frozen=True, slots=True, eq=False)
class ActionStep:
    """One step of a chunk; only the fields that the chunk's mode names are read.

    translation [m] and rotation_vector [rad] for EE_DELTA; pose (7,) position [m] and quaternion xyzw for EE_POSE;
    joints [rad], [rad] delta or [rad/s] for the joint modes; gripper: opening, 0 closed to 1 open, NaN leaves it as it
    is; base: vx, vy [m/s], wz [rad/s] in the base's own frame; terminate: the task is finished at this step.
    """

    translation: FloatArray = field(default_factory=lambda: ZERO_3)  # (3,)
    rotation_vector: FloatArray = field(default_factory=lambda: ZERO_3)  # (3,)
    gripper: float = float("nan")
    base: FloatArray = field(default_factory=lambda: ZERO_3)  # (3,)
    terminate: bool = False
    joints: FloatArray | None = None  # (n,)
    pose: FloatArray | None = None  # (7,)

    def is_finite(self) -> bool:
        """Whether every number but the gripper (where NaN has a meaning) is finite."""
        arrays = (self.translation, self.rotation_vector, self.base, self.joints, self.pose)
        return all(np.isfinite(array).all() for array in arrays if array is not None) and not np.isinf(self.gripper)


@dataclass(frozen=True, slots=True, eq=False)
class ActionChunk:
    """One or more future actions made from one observation.

    observation_stamp [s]; period_s: between steps; tokens and token_probabilities: (k, d) for k steps and d
    dimension_names, both None for a policy without a tokenizer; joint_names: order of ActionStep.joints; legal_mass:
    (k, d) probability that a language model gave to that dimension's legal tokens before the constraint, NaN where
    it was not computed, None for a policy without one; plan: what it wrote before it acted, empty for no plan.
    """

    observation_stamp: float
    mode: ActionMode
    delta_reference: DeltaReference
    period_s: float
    steps: tuple[ActionStep, ...]
    tokens: NDArray[np.uint16] | None = None  # (k, d)
    token_probabilities: NDArray[np.float32] | None = None  # (k, d)
    dimension_names: tuple[str, ...] = ()
    joint_names: tuple[str, ...] = ()
    legal_mass: NDArray[np.float32] | None = None  # (k, d)
    plan: str = ""

    def __post_init__(self) -> None:
        """Raise ActionValueError for a chunk that must never reach a controller."""
        if not self.steps:
            raise ActionValueError("a chunk has 0 steps; valid is at least one")
        if not (np.isfinite(self.period_s) and self.period_s > 0.0):
            raise ActionValueError(f"period_s is {self.period_s}; valid is a finite number above 0")
        shape = (len(self.steps), len(self.dimension_names))
        for name in ("tokens", "token_probabilities", "legal_mass"):
            array = getattr(self, name)
            if array is not None and array.shape != shape:
                raise ActionValueError(f"{name} has shape {array.shape}; valid is {shape} (steps, dimension_names)")
        for index, step in enumerate(self.steps):
            if not step.is_finite():
                raise ActionValueError(f"step {index} is {step}; valid are finite numbers")

    @property
    def terminate(self) -> bool:
        """Whether any step says that the task is finished."""
        return any(step.terminate for step in self.steps)


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
        """Answer a question about the image; the task goes on. Raises InstructionError when it cannot."""
        raise InstructionError(f"policy {self.name} cannot answer questions")

    def close(self) -> None:
        """Release files, threads and devices; the default has none."""
        return
