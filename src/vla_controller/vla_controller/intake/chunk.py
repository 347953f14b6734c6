# SPDX-License-Identifier: Apache-2.0
"""Action chunks as the controller sees them: vla_msgs/ActionChunk without ROS. Values equal the message's constants."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from vla_controller.rotation import Pose

Array = npt.NDArray[np.float64]


class ActionMode(IntEnum):
    """What the steps of a chunk say."""

    EE_DELTA = 0
    EE_POSE = 1
    JOINT_POSITION = 2
    JOINT_DELTA = 3
    JOINT_VELOCITY = 4


class DeltaReference(IntEnum):
    """What step 0 of a delta chunk is relative to."""

    OBSERVED = 0
    COMMANDED = 1


def _zeros() -> Array:
    return np.zeros(3)


@dataclass(frozen=True, slots=True)
class Step:
    """One step; only the fields that the chunk's mode names are read."""

    translation: Array = field(default_factory=_zeros)  # (3,) [m] EE_DELTA
    rotation_vector: Array = field(default_factory=_zeros)  # (3,) [rad] EE_DELTA, applied from the left
    pose: Pose | None = None  # EE_POSE
    joints: Array | None = None  # (n,) [rad] or [rad/s] JOINT_*
    gripper: float = float("nan")  # opening 0 closed to 1 open; NaN leaves it
    base: Array = field(default_factory=_zeros)  # (3,) [m/s, m/s, rad/s] mobile base: forward, left, turning
    terminate: bool = False


@dataclass(frozen=True, slots=True)
class Chunk:
    """Future actions made from one observation; step k is due at stamp + latency budget + k * period."""

    stamp: float  # [s] capture time of the observation
    frame_id: str
    instruction_id: str
    sequence: int
    mode: int
    steps: tuple[Step, ...]
    period: float  # [s]
    delta_reference: int = DeltaReference.OBSERVED
    observed_pose: Pose | None = None  # EE_DELTA + OBSERVED
    observed_joints: Array | None = None  # (n,) JOINT_DELTA + OBSERVED
    joint_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something was not done as asked: a stable name and an account for people."""

    name: str
    reason: str
