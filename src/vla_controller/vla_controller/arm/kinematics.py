# SPDX-License-Identifier: Apache-2.0
"""Forward and inverse kinematics of the arm on its MuJoCo description; inverse steps are solved by daqp."""

from __future__ import annotations

import daqp
import mujoco
import numpy as np
import numpy.typing as npt
from vla_core.robot import RobotConfig
from vla_core.rotation import Pose, rotation_between

from vla_controller.arm.arm_model import arm_model
from vla_controller.arm.collision import Clearance

Array = npt.NDArray[np.float64]

_POSITION_TOLERANCE = 2e-5  # [m]
_ROTATION_TOLERANCE = 2e-4  # [rad]
_MAX_JOINT_STEP = 0.2  # [rad] per iteration: keeps the linearisation honest near singularities
_ROTATION_COST = 0.3  # [m/rad] of the tool's rotation against its position
_POSTURE_COST = 3e-3  # [m/rad] towards home, felt where the tool leaves a choice
_ERROR_DAMPING = 1e-3  # of the squared error: far targets are approached straight, without swinging joints
_SINGULAR = 0.06  # smallest singular value of the weighted Jacobian below which joints are damped
_SINGULAR_DAMPING = 0.02  # at a singularity; grows from zero with the square of the approach
_FADE = 0.05  # [rad] before a position limit in which a joint's motion counts less and less
_WEAK = 0.15  # smallest singular value below which the motion that takes the joints farthest for the tool is damped
_WEAK_DAMPING = 0.2  # of that motion alone, where the tool does not gain by it at all
_NEAR = 0.06  # [m] from a collision within which it becomes a constraint
_PUSH = 0.002  # [m] that an iteration leads out of it, where it is not kept
_SPARE = 0.004  # [m] that the inverse kinematics keeps in addition to the collision margin


class Kinematics:
    """Kinematics of one arm. Not safe for several threads at once."""

    def __init__(self, config: RobotConfig) -> None:
        """Build the model; raises RobotConfigError when the description does not fit the config."""
        self._model = arm_model(config)
        self._data = mujoco.MjData(self._model)
        self.clearance = None if config.collision is None else Clearance(self._model, config.collision)
        self._near = None if config.collision is None else Clearance(self._model, config.collision)  # its own memory
        self._site = self._model.site("tcp").id
        self._lower, self._upper, self._home = config.limits.lower, config.limits.upper, config.home
        n = len(config.joints)
        self._jacobian = np.zeros((6, n))
        self._weights = np.array([1.0] * 3 + [_ROTATION_COST] * 3)
        self._eye, self._none = np.eye(n), np.zeros((0, n))

    def fk(self, q: Array) -> Pose:
        """Pose of the tool centre point for joints ``q`` (n,) [rad]."""
        self._data.qpos[:] = q
        mujoco.mj_kinematics(self._model, self._data)
        return self._tool()

    def tool_position(self, q: Array) -> Array:
        """Position (3,) [m] of the tool centre point for joints ``q`` (n,) [rad]."""
        self._data.qpos[:] = q
        mujoco.mj_kinematics(self._model, self._data)
        position: Array = self._data.site_xpos[self._site].copy()
        return position

    def _tool(self) -> Pose:
        wxyz = np.empty(4)
        mujoco.mju_mat2Quat(wxyz, self._data.site_xmat[self._site])
        return Pose(self._data.site_xpos[self._site].copy(), wxyz[[1, 2, 3, 0]])

    def ik(self, q0: Array, target: Pose, iterations: int = 4) -> tuple[Array, float, float]:
        """Joints near ``q0`` that bring the tool to ``target``, inside the position limits and clear of collisions.

        Far or unreachable targets give the closest pose found in ``iterations``.

        Returns:
            joints (n,) [rad], remaining distance [m], remaining rotation [rad].
        """
        q = np.minimum(np.maximum(q0, self._lower), self._upper)
        damping: float | None = None
        for left in range(iterations, -1, -1):
            error = self._error(q, target)
            distance, turn = _norm(error[:3]), _norm(error[3:])
            if not left or (distance < _POSITION_TOLERANCE and turn < _ROTATION_TOLERANCE):
                break
            jacobian = self._weighted_jacobian()
            damping = _singular_damping(jacobian) if damping is None else damping
            step = self._step(q, self._weights * error, jacobian, damping)
            if step is None:
                break
            q = np.minimum(np.maximum(q + step, self._lower), self._upper)
        return q, distance, turn

    def singularity(self, q: Array) -> float:
        """Smallest singular value of the tool's Jacobian at ``q`` (n,), rotation weighted as in :meth:`ik` [m/rad]."""
        self.fk(q)
        return float(np.linalg.svd(self._weighted_jacobian(), compute_uv=False)[-1])

    def _error(self, q: Array, target: Pose) -> Array:
        """Translation [m] and rotation vector [rad] still to go, in the base frame."""
        tool = self.fk(q)
        return np.concatenate((target.position - tool.position, rotation_between(tool.quaternion, target.quaternion)))

    def _weighted_jacobian(self) -> Array:
        mujoco.mj_comPos(self._model, self._data)
        mujoco.mj_jacSite(self._model, self._data, self._jacobian[:3], self._jacobian[3:], self._site)
        weighted: Array = self._weights[:, None] * self._jacobian
        return weighted

    def _step(self, q: Array, error: Array, jacobian: Array, damping: float) -> Array | None:
        """The best change of the joints, by damped least squares under the bounds; the tool is at ``q``."""
        damping += _POSTURE_COST**2 + _ERROR_DAMPING * float(error @ error) + 1e-6
        hessian = jacobian.T @ jacobian + damping * self._eye + self._swing_cost(q, jacobian)
        slope = _POSTURE_COST**2 * (q - self._home) - error @ jacobian
        below, above = np.maximum(self._lower - q, -_MAX_JOINT_STEP), np.minimum(self._upper - q, _MAX_JOINT_STEP)
        rows, distances = self._collisions(q)
        for push in (_PUSH, 0.0):  # out of what is too near; where that cannot be, at least no nearer
            limits = np.concatenate((below, np.minimum(_SPARE, distances + push) - distances))
            tops = np.concatenate((above, np.full(len(distances), 1e9)))
            sense = np.zeros(len(limits), dtype=np.int32)
            step: Array
            step, _, flag, _ = daqp.solve(hessian, slope, rows, tops, limits, sense)
            if flag > 0 and np.all(np.isfinite(step)):
                return step
        return None

    def _swing_cost(self, q: Array, jacobian: Array) -> Array:
        """Cost (n, n) of the motion in which the joints go farthest for what the tool gains.

        A joint at its limit takes no part in a motion away from it: without it the others, above all the elbow, would
        swing wide for millimetres of the tool.
        """
        room = np.minimum(q - self._lower, self._upper - q)
        if np.all(room >= _FADE):
            return 0.0 * self._eye
        free = jacobian * np.minimum(1.0, np.maximum(0.0, room) / _FADE)
        values, vectors = np.linalg.eigh(free @ free.T)
        least = float(np.sqrt(max(values[0], 0.0)))
        motion: Array = free.T @ vectors[:, 0]
        length = _norm(motion)
        if least >= _WEAK or length < 1e-9:
            return 0.0 * self._eye
        weight = _WEAK_DAMPING * (1.0 - least / _WEAK) / length
        return np.outer(weight * motion, weight * motion)

    def _collisions(self, q: Array) -> tuple[Array, Array]:
        gaps = [] if self._near is None else self._near.near(q, q, _NEAR)
        return self._near.rows(self._data, gaps) if self._near is not None and gaps else (self._none, np.zeros(0))


def _singular_damping(jacobian: Array) -> float:
    least = float(np.linalg.eigvalsh(jacobian @ jacobian.T)[0])
    if least >= _SINGULAR**2:
        return 0.0
    return float((_SINGULAR_DAMPING * (1.0 - np.sqrt(max(0.0, least)) / _SINGULAR)) ** 2)


def _norm(vector: Array) -> float:
    return float(np.sqrt(vector @ vector))
