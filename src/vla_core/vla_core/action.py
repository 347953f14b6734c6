# SPDX-License-Identifier: Apache-2.0
"""Action steps and chunks: what a policy makes and the controller follows. Values equal those of vla_msgs/ActionChunk.

Frames: every pose and delta is in the chunk's frame, the robot's base frame. Delta semantics: the target of step 0 is
the tool pose at the observation's stamp (or the last setpoint) plus the delta, a translation along the frame's axes and
a rotation vector applied from the left; the target of step k is that of step k - 1 plus its own delta.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Self

import numpy as np
from numpy.typing import NDArray

from vla_core.rotation import Pose

Array = NDArray[np.float64]
ZERO_3: Array = np.zeros(3)
ZERO_3.setflags(write=False)


class ActionValueError(ValueError):
    """An action or token array is invalid; the text says what was received and what is valid."""


class ActionMode(IntEnum):
    """What the steps of a chunk are."""

    EE_DELTA = 0
    EE_POSE = 1
    JOINT_POSITION = 2
    JOINT_DELTA = 3
    JOINT_VELOCITY = 4


class DeltaReference(IntEnum):
    """What step 0 of a delta chunk is relative to."""

    OBSERVED = 0
    COMMANDED = 1


@dataclass(frozen=True, slots=True, eq=False)
class ActionStep:
    """One step of a chunk; only the fields that the chunk's mode names are read."""

    translation: Array = field(default_factory=lambda: ZERO_3)  # (3,) [m] EE_DELTA
    rotation_vector: Array = field(default_factory=lambda: ZERO_3)  # (3,) [rad] EE_DELTA, applied from the left
    pose: Pose | None = None  # EE_POSE
    joints: Array | None = None  # (n,) [rad], [rad] delta or [rad/s] JOINT_*
    gripper: float = math.nan  # opening, 0 closed to 1 open; NaN leaves it as it is
    base: Array = field(default_factory=lambda: ZERO_3)  # (3,) [m/s, m/s, rad/s] mobile base: forward, left, turning
    terminate: bool = False  # the task is finished at this step

    def is_finite(self) -> bool:
        """Return whether every number is finite; the gripper may be NaN."""
        pose = () if self.pose is None else (self.pose.position, self.pose.quaternion)
        arrays = (self.translation, self.rotation_vector, self.base, self.joints, *pose)
        return all(np.isfinite(array).all() for array in arrays if array is not None) and not math.isinf(self.gripper)


@dataclass(frozen=True, slots=True, eq=False)
class ActionChunk:
    """One or more future actions made from one observation; step k is due at stamp + latency budget + k * period.

    A policy fills what it knows and calls `checked`. The node that sends the chunk adds frame, instruction, sequence
    and observed state with `dataclasses.replace`. A chunk that arrives is taken as sent: the gate judges it.
    """

    stamp: float  # [s] capture time of the observation
    mode: int  # ActionMode
    delta_reference: int  # DeltaReference
    period: float  # [s] between steps
    steps: tuple[ActionStep, ...]
    joint_names: tuple[str, ...] = ()  # order of ActionStep.joints and observed_joints
    frame_id: str = ""
    instruction_id: str = ""
    sequence: int = 0
    observed_pose: Pose | None = None  # tool centre point at `stamp`, for EE_DELTA + OBSERVED
    observed_joints: Array | None = None  # (n,) at `stamp`, for JOINT_DELTA + OBSERVED
    dimension_names: tuple[str, ...] = ()  # (d,) of the arrays below
    tokens: NDArray[np.uint16] | None = None  # (k, d) for k steps; None for a policy without a tokenizer
    token_probabilities: NDArray[np.float32] | None = None  # (k, d)
    legal_mass: NDArray[np.float32] | None = None  # (k, d) before the constraint; NaN: not computed
    plan: str = ""  # what the policy wrote before it acted
    stamp_ns: int | None = None  # [ns] `stamp` as it came in a message, exact; None: not from a message

    def checked(self) -> Self:
        """Return the chunk itself.

        Raises:
            ActionValueError: the chunk must never reach a controller.
        """
        if not self.steps:
            raise ActionValueError("a chunk has 0 steps; valid is at least one")
        if not (math.isfinite(self.period) and self.period > 0.0):
            raise ActionValueError(f"period is {self.period} s; valid is a finite number above 0")
        shape = (len(self.steps), len(self.dimension_names))
        for name in ("tokens", "token_probabilities", "legal_mass"):
            array = getattr(self, name)
            if array is not None and array.shape != shape:
                raise ActionValueError(f"{name} has shape {array.shape}; valid is {shape} (steps, dimension_names)")
        for index, step in enumerate(self.steps):
            if not step.is_finite():
                raise ActionValueError(f"step {index} is {step}; valid are finite numbers")
            if step.joints is not None and len(step.joints) != len(self.joint_names):
                raise ActionValueError(
                    f"step {index} has {len(step.joints)} joints; valid are the {len(self.joint_names)} "
                    f"of joint_names {self.joint_names}"
                )
        return self

    @property
    def terminate(self) -> bool:
        """Return whether any step says that the task is finished."""
        return any(step.terminate for step in self.steps)
