# SPDX-License-Identifier: Apache-2.0
"""Forward and inverse kinematics of the arm on its MuJoCo description, with mink and the daqp solver."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import mink
import mujoco
import numpy as np
import numpy.typing as npt

from vla_controller.robot_config import RobotConfig, RobotConfigError
from vla_controller.rotation import Pose

Array = npt.NDArray[np.float64]

_POSITION_TOLERANCE = 1e-5  # [m]
_ROTATION_TOLERANCE = 1e-4  # [rad]
_MAX_JOINT_STEP = 0.2  # [rad] per iteration: keeps the linearisation honest near singularities


def arm_model(config: RobotConfig) -> mujoco.MjModel:
    """The arm's chain alone: no geometry, no fingers, joint ranges from the config, a site ``tcp``.

    Raises:
        RobotConfigError: the description is missing, or its arm joints are not those of the config.
    """
    spec = mujoco.MjSpec.from_file(str(_description(config)))
    for elements in (spec.keys, spec.actuators, spec.equalities, spec.tendons, spec.excludes, spec.geoms, spec.meshes):
        for element in list(elements):
            spec.delete(element)
    if spec.compiler.degree:
        raise RobotConfigError(f"{config.robot}: {config.model.file} must give angles in radian")
    for joint in list(spec.joints):
        if joint.name not in config.joints:
            spec.delete(joint)
            continue
        index = config.joints.index(joint.name)
        joint.range = [config.limits.lower[index], config.limits.upper[index]]
    body = spec.body(config.model.tcp_body)
    if body is None:
        raise RobotConfigError(f"{config.robot}: no body {config.model.tcp_body!r} in {config.model.file}")
    x, y, z, w = config.model.tcp_quaternion_xyzw
    body.add_site(name="tcp", pos=config.model.tcp_position, quat=[w, x, y, z])
    model = spec.compile()
    names = tuple(model.joint(i).name for i in range(model.njnt))
    if names != config.joints:
        raise RobotConfigError(f"{config.robot}: {config.model.file} has {names}, config says {config.joints}")
    return model


def _description(config: RobotConfig) -> Path:
    found = importlib.util.find_spec(config.model.package)
    if found is None or found.origin is None:
        raise RobotConfigError(f"{config.robot}: no Python package {config.model.package!r} for the model")
    path = Path(found.origin).parent / config.model.file
    if not path.is_file():
        raise RobotConfigError(f"{config.robot}: no model at {path}")
    return path


class Kinematics:
    """Kinematics of one arm. Not safe for several threads at once."""

    def __init__(self, config: RobotConfig) -> None:
        """Build the model; raises RobotConfigError when the description does not fit the config."""
        self._model = arm_model(config)
        self._data = mujoco.MjData(self._model)
        self._site = self._model.site("tcp").id
        self._lower, self._upper = config.limits.lower, config.limits.upper
        self._configuration = mink.Configuration(self._model)
        self._frame = mink.FrameTask("tcp", "site", position_cost=1.0, orientation_cost=0.3, lm_damping=1e-3)
        self._posture = mink.PostureTask(self._model, cost=3e-3)
        self._posture.set_target(config.home)
        self._tasks = [self._frame, self._posture]
        self._limits = [
            mink.ConfigurationLimit(self._model, gain=1.0),
            mink.VelocityLimit(self._model, dict.fromkeys(config.joints, _MAX_JOINT_STEP)),
        ]

    def fk(self, q: Array) -> Pose:
        """Pose of the tool centre point for joints ``q`` (n,) [rad]."""
        self._data.qpos[:] = q
        mujoco.mj_kinematics(self._model, self._data)
        wxyz = np.empty(4)
        mujoco.mju_mat2Quat(wxyz, self._data.site_xmat[self._site])
        return Pose(self._data.site_xpos[self._site].copy(), wxyz[[1, 2, 3, 0]])

    def ik(self, q0: Array, target: Pose, iterations: int = 4) -> tuple[Array, float, float]:
        """Joints near ``q0`` that bring the tool to ``target``, inside the position limits.

        Far or unreachable targets give the closest pose found in ``iterations``.

        Returns:
            joints (n,) [rad], remaining distance [m], remaining rotation [rad].
        """
        x, y, z, w = target.quaternion.tolist()
        self._frame.set_target(mink.SE3(np.array([w, x, y, z, *target.position.tolist()])))
        self._configuration.update(np.clip(q0, self._lower, self._upper))
        for _ in range(iterations):
            error = self._frame.compute_error(self._configuration)
            if _norm(error[:3]) < _POSITION_TOLERANCE and _norm(error[3:]) < _ROTATION_TOLERANCE:
                break
            try:
                step = mink.solve_ik(self._configuration, self._tasks, 1.0, "daqp", damping=1e-6, limits=self._limits)
            except mink.NoSolutionFound:
                break
            self._configuration.integrate_inplace(step, 1.0)
        error = self._frame.compute_error(self._configuration)
        q = np.clip(self._configuration.q, self._lower, self._upper)
        return q, _norm(error[:3]), _norm(error[3:])


def _norm(vector: Array) -> float:
    return float(np.sqrt(vector @ vector))
