# SPDX-License-Identifier: Apache-2.0
"""The narrow interface between a policy and whatever runs it, free of ROS and of any network library."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray
from vla_core.action import ActionChunk
from vla_core.observation_map import REFERENCE
from vla_core.observation_map.observation_map import ObservationMap

from vla_policy.action.motion_limits import MotionLimits
from vla_policy.ahead import Ahead
from vla_policy.errors import ConfigurationError, InferenceError, InstructionError, ObservationError, PolicyError

LOG = logging.getLogger(__name__)
FloatArray = NDArray[np.float64]
Image = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """The cameras' images and the robot's state at the moment the first image was captured.

    stamp: capture time of the first image, the reference camera's [s]; images: each (H, W, 3) uint8 rgb, by the
    camera's name in the observation map; joint_position [rad] or [m]; ee_position [m]; gripper_width: distance between
    the finger pads [m], NaN when unknown; scene: simulator ground truth by object name, each (7,) position [m] and
    quaternion xyzw, only for policies with `uses_scene`; encoded: what `Policy.encode` made of the images elsewhere,
    which are blank then; ahead: what is still to be done of the chunk before, for policies that continue from it, None
    where nothing is.
    """

    stamp: float
    images: Mapping[str, Image]  # (H, W, 3)
    joint_names: tuple[str, ...]
    joint_position: FloatArray  # (n,)
    ee_position: FloatArray  # (3,)
    ee_quaternion_xyzw: FloatArray  # (4,)
    gripper_width: float
    scene: Mapping[str, FloatArray] | None = None
    encoded: NDArray[np.float32] | None = None
    ahead: Ahead | None = None

    def __post_init__(self) -> None:
        """Raise ObservationError where a shape or a number is not usable."""
        if not self.images:
            raise ObservationError("images is empty; valid is at least the reference camera's")
        for name, image in self.images.items():
            if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
                valid = "uint8 (height, width, 3), not empty"
                raise ObservationError(f"image of camera {name} is {image.dtype} {image.shape}; valid is {valid}")
        _check("joint_position", self.joint_position, (len(self.joint_names),))
        _check("ee_position", self.ee_position, (3,))
        _check("ee_quaternion_xyzw", self.ee_quaternion_xyzw, (4,))
        if abs(float(np.linalg.norm(self.ee_quaternion_xyzw)) - 1.0) > 1e-3:
            raise ObservationError(f"ee_quaternion_xyzw is {self.ee_quaternion_xyzw}; valid is a unit quaternion")

    @property
    def image(self) -> Image:
        """The reference camera's image (H, W, 3)."""
        return next(iter(self.images.values()))

    def positions(self, names: Sequence[str]) -> FloatArray:
        """Return the positions (n,) of the named joints. Raises ObservationError that lists the observed ones."""
        known = dict(zip(self.joint_names, self.joint_position, strict=True))
        missing = [name for name in names if name not in known]
        if missing:
            raise ObservationError(f"joints {', '.join(missing)} were not observed; observed are {', '.join(known)}")
        return np.array([known[name] for name in names], dtype=np.float64)


def blank_observation(height: int, width: int, observation_map: ObservationMap | None = None) -> Observation:
    """Return a black picture and a robot at the origin, to warm a policy up; with a map all joints of its robot."""
    images = {REFERENCE: np.zeros((height, width, 3), np.uint8)}
    robot = observation_map.robot if observation_map is not None else None
    joints = robot.joints if robot is not None else ()
    tool = np.zeros(3), np.array([0.0, 0.0, 0.0, 1.0])
    return Observation(0.0, images, tuple(joints), np.zeros(len(joints)), *tool, 0.0)


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
    name of the robot that it drives, empty when unknown; observation_map: what it sees and says, for this robot;
    period_s: time between the steps of a chunk [s]; threads: for the numerical library, 0 leaves its own choice;
    options: a policy's own settings by name; limits: where and how fast the robot may move, for a policy that keeps to
    them by itself; own_options: options of this policy alone as texts, which the registry adds to `options`.
    """

    checkpoint: str = ""
    device: str = "cpu"
    robot: str = ""
    observation_map: ObservationMap | None = None
    period_s: float = 0.2
    threads: int = 0
    options: Mapping[str, str | float | bool] = field(default_factory=dict)
    limits: MotionLimits | None = None
    own_options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NoOptions:
    """OPTIONS of the module of a policy that has none of its own (`vla_policy.own_options`)."""


class Policy(ABC):
    """Maps an observation to a chunk of actions for the instruction given to `reset`.

    Wrappers (recording, replaying, remoting) have this same interface.
    """

    name: str = "policy"
    uses_scene: bool = False
    camera_names: tuple[str, ...] = ()  # cameras that it reads by name; the first camera needs none

    @property
    def history(self) -> int:
        """How many observations before the latest one its actions depend on."""
        return 0

    @property
    def image_size(self) -> tuple[int, int] | None:
        """(height, width) [px] that `infer` wants, or None where any size will do."""
        return None

    @property
    def checkpoint(self) -> str:
        """Name or path of what was loaded; empty when there is none."""
        return ""

    @property
    def encoder_id(self) -> str:
        """What the weights of `encode` are known by, the same wherever they are loaded; empty without an encoder."""
        return ""

    def encode(self, observation: Observation) -> NDArray[np.float32]:
        """Return what the policy's vision encoder makes of the images, under the task given to `reset`.

        A policy that has it accepts it as `Observation.encoded`, so that the encoder may run on the robot and the rest
        elsewhere. Raises ConfigurationError where the policy has no encoder of its own, which is the default.
        """
        raise ConfigurationError(f"policy {self.name} has no vision encoder apart; valid is to send images")

    @abstractmethod
    def reset(self, instruction: str) -> None:
        """Begin a new task and forget all history. Raises InstructionError when the text cannot be served."""

    @abstractmethod
    def infer(self, observation: Observation) -> ActionChunk:
        """Return the next actions. Raises ObservationError when the observation is not usable."""

    def session(self) -> Self:
        """Return a policy with a task and a history of its own that shares this one's weights, for another robot.

        Raises ConfigurationError where the policy serves one robot only, which is the default.
        """
        raise ConfigurationError(f"policy {self.name} keeps the state of one robot; valid is one robot at a time")

    def infer_batch(
        self, sessions: Sequence[Self], observations: Sequence[Observation]
    ) -> list[ActionChunk | PolicyError]:
        """Infer for several robots: what `infer` of each session returns for its observation, or the error it raises.

        sessions: this policy or what its `session` made, none twice. A policy that can computes all rows in one pass;
        any other error than PolicyError is then raised, and concerns all. The default calls one after the other, and
        what one raises concerns that one alone.
        """
        return [_outcome(session, seen) for session, seen in zip(sessions, observations, strict=True)]

    def ask(self, observation: Observation, question: str) -> Answer:
        """Answer a question about the image; the task continues. Raises InstructionError when it cannot."""
        raise InstructionError(f"policy {self.name} cannot answer questions")

    def close(self) -> None:
        """Release files, threads and devices; the default has none."""
        return


class BatchPolicy(Policy):
    """A policy whose single inference is a batch of one."""

    def infer(self, observation: Observation) -> ActionChunk:
        """Return the next actions. Raises what `infer_batch` returns in their place."""
        made = self.infer_batch([self], [observation])[0]
        if isinstance(made, PolicyError):
            raise made
        return made

    @abstractmethod
    def infer_batch(
        self, sessions: Sequence[Self], observations: Sequence[Observation]
    ) -> list[ActionChunk | PolicyError]:
        """Infer for several robots in one pass, as `Policy.infer_batch` describes."""


def _outcome(session: Policy, observation: Observation) -> ActionChunk | PolicyError:
    try:
        return session.infer(observation)
    except PolicyError as error:
        return error
    except Exception as error:  # a policy is a plug-in
        return failure(session, error)


def failure(policy: Policy, error: Exception) -> InferenceError:
    """Log what a policy raised beside the errors of its interface, and return it as one of them."""
    LOG.error("policy %s failed", policy.name, exc_info=error)
    return InferenceError(f"policy {policy.name} failed: {type(error).__name__}: {error}")
