# SPDX-License-Identifier: Apache-2.0
"""The controller on a bench: an arm that is wherever the last setpoint put it, and an account of the limits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from vla_controller.arm_controller import ArmController
from vla_controller.chunk import ActionMode, Chunk, DeltaReference, Refusal, Step
from vla_controller.robot_config import JointLimits
from vla_controller.rotation import Pose
from vla_controller.setpoint import Setpoint

Array = npt.NDArray[np.float64]

_ROUNDING = 1e-6


class Bench:
    """Ticks a controller against an arm that follows exactly, from its home pose and time 0."""

    def __init__(self, controller: ArmController, dt: float, instruction_id: str = "a") -> None:
        """Reset ``controller``, made with the same ``dt`` [s], give it an instruction and tick it once."""
        controller.reset()
        controller.set_instruction(instruction_id)
        self.controller, self.dt, self.instruction_id = controller, dt, instruction_id
        self.q = controller.config.home.copy()
        self.now = 0.0
        self.sequence = 0
        self.setpoints: list[Setpoint] = []
        self.tick()

    def tick(self, count: int = 1) -> Setpoint:
        """Let ``count`` ticks pass; returns the last setpoint."""
        for _ in range(count):
            self.controller.update_joint_state(self.now, self.q, np.zeros(len(self.q)))
            self.tick_without_joint_state()
        return self.setpoints[-1]

    def tick_without_joint_state(self) -> None:
        """Let one tick pass in which the arm says nothing."""
        setpoint = self.controller.tick(self.now)
        if setpoint is None:
            raise RuntimeError("the controller has no joint state")
        self.setpoints.append(setpoint)
        self.q = setpoint.q
        self.now += self.dt

    @property
    def pose(self) -> Pose:
        """Pose of the tool now."""
        return self.controller.kinematics.fk(self.q)

    def chunk(self, *steps: Step, mode: int = ActionMode.EE_DELTA, **changes: Any) -> Chunk:
        """Chunk of ``steps`` made from an observation of this moment; ``changes`` replace fields."""
        self.sequence += 1
        values: dict[str, Any] = {
            "stamp": self.now,
            "frame_id": self.controller.config.base_frame,
            "instruction_id": self.instruction_id,
            "sequence": self.sequence,
            "mode": mode,
            "steps": steps,
            "period": 0.2,
            "delta_reference": DeltaReference.OBSERVED,
            "observed_pose": self.pose,
            "observed_joints": self.q,
            "joint_names": self.controller.config.joints,
        }
        return Chunk(**{**values, **changes})

    def send(self, *steps: Step, **changes: Any) -> Refusal | None:
        """Offer such a chunk to the controller now."""
        return self.controller.accept(self.chunk(*steps, **changes), self.now)

    def violations(self) -> list[str]:
        """Limits that the setpoints so far left."""
        return limit_violations(self.setpoints, self.controller.config.limits, self.dt)


def limit_violations(setpoints: Sequence[Setpoint], limits: JointLimits, dt: float) -> list[str]:
    """Every limit that setpoints, sent each ``dt`` seconds, leave: as sent and as differences between neighbours."""
    q, qd, qdd = (np.array([getattr(setpoint, name) for setpoint in setpoints]) for name in ("q", "qd", "qdd"))
    over = np.maximum(limits.lower - q, q - limits.upper).max(axis=0)
    found = [f"position over by {over.tolist()} rad"] if not np.all(over <= _ROUNDING) else []
    for name, value, top in (
        ("velocity", qd, limits.velocity),
        ("velocity between setpoints", np.diff(q, axis=0) / dt, limits.velocity),
        ("acceleration", qdd, limits.acceleration),
        ("acceleration between setpoints", np.diff(qd, axis=0) / dt, limits.acceleration),
        ("jerk", np.diff(qdd, axis=0) / dt, limits.jerk),
    ):
        if not np.all(np.abs(value) <= top * (1.0 + _ROUNDING) + _ROUNDING):
            found.append(f"{name} {np.abs(value).max(axis=0).tolist()}; at most {top.tolist()}")
    return found
