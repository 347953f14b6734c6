# SPDX-License-Identifier: Apache-2.0
"""The controller on a bench: an arm that is wherever the last setpoint put it, and an account of the limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from vla_core.action import ActionChunk, ActionMode, ActionStep, DeltaReference
from vla_core.robot import JointLimits
from vla_core.rotation import Pose

from vla_controller.arm.workspace import WORKSPACE_MARGIN, WORKSPACE_SLACK, Workspace
from vla_controller.arm_controller import ArmController
from vla_controller.motion.setpoint import Setpoint
from vla_controller.path.planner import REST_TIME
from vla_controller.refusals import Refusal

Array = npt.NDArray[np.float64]

_ROUNDING = 1e-6
_TOUCH = 1e-4  # [m] tolerance of the clearance: stops are replanned at each tick, which moves them slightly


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that the setpoints broke: which one, and by how much."""

    kind: str
    text: str


class Bench:
    """Ticks a controller against an arm that follows exactly, from its home pose (or ``start``) and time 0."""

    def __init__(
        self, controller: ArmController, dt: float, instruction_id: str = "a", start: Array | None = None
    ) -> None:
        """Reset ``controller``, made with the same ``dt`` [s], give it an instruction and tick it once."""
        self.q = (controller.config.home if start is None else start).copy()
        controller.reset(self.q)
        controller.set_instruction(instruction_id)
        self.controller, self.dt, self.instruction_id = controller, dt, instruction_id
        self.now = self.elapsed = 0.0  # [s] what the clock says; what really passed
        self.sequence = 0
        self.setpoints: list[Setpoint] = []
        self.sense = self._sense
        self.tick()

    def tick(self, count: int = 1) -> Setpoint:
        """Let ``count`` ticks pass; returns the last setpoint. Raises RuntimeError when none was sent yet."""
        for _ in range(count):
            self.sense()
            self.tick_without_joint_state()
        if not self.setpoints:
            raise RuntimeError("the controller has no joint state")
        return self.setpoints[-1]

    def _sense(self) -> None:
        """Joint states of one tick: where the arm is, at rest. A stream may put another function in its place."""
        self.controller.update_joint_state(self.now, self.q, np.zeros(len(self.q)))

    def tick_without_joint_state(self) -> None:
        """Let one tick pass in which the arm says nothing."""
        setpoint = self.controller.tick(self.now)
        if setpoint is not None:
            self.setpoints.append(setpoint)
            self.q = setpoint.q
        self.now += self.dt
        self.elapsed += self.dt

    @property
    def pose(self) -> Pose:
        """Pose of the tool now."""
        return self.controller.kinematics.fk(self.q)

    def chunk(self, *steps: ActionStep, mode: int = ActionMode.EE_DELTA, **changes: Any) -> ActionChunk:
        """ActionChunk of ``steps`` made from an observation of this moment; ``changes`` replace fields."""
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
        return ActionChunk(**{**values, **changes})

    def send(self, *steps: ActionStep, **changes: Any) -> Refusal | None:
        """Offer such a chunk to the controller now."""
        return self.controller.accept(self.chunk(*steps, **changes), self.now)

    def violations(self) -> list[str]:
        """Limits that the setpoints so far left."""
        return limit_violations(self.setpoints, self.controller.config.limits, self.dt)

    def account(self, last_due: float) -> tuple[Violation, ...]:
        """Every promise that the setpoints broke; the last step accepted was due when ``last_due`` [s] had elapsed."""
        found = broken_limits(self.setpoints, self.controller.config.limits, self.dt)
        rest, clearance = self.rest_after(last_due), self.least_clearance()
        if not rest <= REST_TIME + _ROUNDING:
            found.append(Violation("rest", f"at rest {rest:.3f} s after the last due step; at most {REST_TIME} s"))
        if clearance < -_TOUCH:
            found.append(Violation("collision", f"{-clearance:.4f} m into the margin"))
        beyond = self.beyond_workspace()
        if beyond > 0.0:
            found.append(Violation("workspace", f"the tool was {beyond:.4f} m farther outside than it may be"))
        return tuple(found)

    def rest_after(self, last_due: float) -> float:
        """Time [s] from ``last_due`` [s elapsed] until the setpoints stay at rest; infinity while they move."""
        moving = [k for k, row in enumerate(self.setpoints) if np.any(row.qd) or np.any(row.qdd)]
        if not moving:
            return 0.0
        if moving[-1] == len(self.setpoints) - 1:
            return float("inf")
        reached = (moving[-1] + 2) * self.dt  # setpoint k is reached one tick after it was sent, at k * dt
        return max(0.0, reached - last_due)

    def beyond_workspace(self) -> float:
        """How far [m] the tool was outside the workspace, beyond its margin or where the arm was found outside."""
        box, tool = Workspace.of(self.controller.config), self.controller.kinematics.tool_position
        excess = box.excess(np.array([tool(row.q) for row in self.setpoints]))
        return float(excess.max() - max(WORKSPACE_MARGIN, excess[0]) - WORKSPACE_SLACK - _TOUCH)

    def least_clearance(self) -> float:
        """Least distance of the setpoints to a collision, margin included [m]; infinity if none came near one."""
        clearance = self.controller.kinematics.clearance
        if clearance is None:
            return float("inf")
        near = [row.q for row in self.setpoints if clearance.near(row.q, row.q, 0.0)]
        return min((float(clearance.distances(q).min()) for q in near), default=float("inf"))


def limit_violations(setpoints: Sequence[Setpoint], limits: JointLimits, dt: float) -> list[str]:
    """Every limit that setpoints, sent each ``dt`` seconds, leave, in words."""
    return [violation.text for violation in broken_limits(setpoints, limits, dt)]


def broken_limits(setpoints: Sequence[Setpoint], limits: JointLimits, dt: float) -> list[Violation]:
    """Every limit that setpoints, sent each ``dt`` seconds, leave: as sent and as differences between neighbours."""
    q, qd, qdd = (np.array([getattr(setpoint, name) for setpoint in setpoints]) for name in ("q", "qd", "qdd"))
    if not all(np.all(np.isfinite(rows)) for rows in (q, qd, qdd)):
        return [Violation("not_finite", "a setpoint is not finite")]
    over = np.maximum(limits.lower - q, q - limits.upper).max(axis=0)
    found = [] if np.all(over <= _ROUNDING) else [Violation("position", f"position over by {over.tolist()} rad")]
    for name, value, top in (
        ("velocity", qd, limits.velocity),
        ("velocity between setpoints", np.diff(q, axis=0) / dt, limits.velocity),
        ("acceleration", qdd, limits.acceleration),
        ("acceleration between setpoints", np.diff(qd, axis=0) / dt, limits.acceleration),
        ("jerk", np.diff(qdd, axis=0) / dt, limits.jerk),
    ):
        if not np.all(np.abs(value) <= top * (1.0 + _ROUNDING) + _ROUNDING):
            text = f"{name} {np.abs(value).max(axis=0).tolist()}; at most {top.tolist()}"
            found.append(Violation(name.split()[0], text))
    return found
