# SPDX-License-Identifier: Apache-2.0
"""Four ways from the same recorded targets to a stream of joint commands, and the arm that follows them.

Every way gets the same targets, is evaluated at 1 kHz (the rate at which a Franka judges what it gets), and drives the
same simulated arm: the robot's own MuJoCo description with its own position servos.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import mujoco
import numpy as np
import numpy.typing as npt
from vla_core.robot import RobotConfig

from vla_controller.arm.kinematics import Kinematics
from vla_controller.arm_controller import ArmController
from vla_controller.bench.joint_trajectory_controller import sample
from vla_controller.bench.recording import INSTRUCTION, Run, Targets
from vla_controller.bench.rig import Bench

Array = npt.NDArray[np.float64]

RATE = 1000.0  # [Hz]
_TAIL = 1.0  # [s] evaluated after the last target
_SPARSE = 5  # every how many samples the tool pose is computed
_LONGEST_DELAY = 0.6  # [s]


@dataclass(frozen=True, slots=True)
class Seams:
    """How one way moves. Peaks are over all joints and times.

    The tracking error is the distance of the tool from where it was to be: on straight lines from target to target,
    each reached when it is due. A constant ``delay``, the one that makes the error least, is taken off and told apart.
    """

    peak_speed: float  # of the command, as a share of the joints' limits
    peak_acceleration: float  # [rad/s^2] of the command, second difference at 1 kHz
    peak_jerk: float  # [rad/s^3] of the command, third difference at 1 kHz
    peak_acceleration_20_hz: float  # [rad/s^2] of the command, second difference of samples at 20 Hz
    arm_peak_acceleration: float  # [rad/s^2] of the arm that follows
    arm_peak_jerk: float  # [rad/s^3]
    delay_ms: float  # of the arm behind the path
    tracking_rms: float  # [m] of the arm
    tracking_max: float  # [m]
    command_delay_ms: float  # the same for the command itself
    command_rms: float  # [m]
    command_max: float  # [m]


def times_of(targets: Targets) -> Array:
    """Sample times (t,) [s] from the run's start to a while after its end."""
    return np.arange(0.0, targets.due[-1] + _TAIL, 1.0 / RATE)


def hold_last(targets: Targets, start: Array, times: Array) -> Array:
    """Each target is commanded when it is due and held."""
    return np.vstack((start, targets.joints))[np.searchsorted(targets.due, times + 1e-9)]


def linear(targets: Targets, start: Array, times: Array) -> Array:
    """LeRobot's action interpolation: straight in joint space from target to target."""
    return _straight(targets, np.vstack((start, targets.joints)), times)


def tool_path(targets: Targets, start: Array, times: Array) -> Array:
    """Where the tool is to be (t, 3) [m], beginning at ``start`` (3,) [m]: the path that tracking is measured on."""
    return _straight(targets, np.vstack((start, targets.tool)), times)


def _straight(targets: Targets, rows: Array, times: Array) -> Array:
    due = np.concatenate(([_first(targets)], targets.due))
    return np.column_stack([np.interp(times, due, column) for column in rows.T])


def cubic(targets: Targets, start: Array, times: Array) -> Array:
    """A joint_trajectory_controller given positions and velocities: a cubic from where it is to each next point.

    The velocity at a point is that of the way to it, which is all that is known when chunks hold one step.
    """
    due, joints = np.concatenate(([_first(targets)], targets.due)), np.vstack((start, targets.joints))
    slopes = np.diff(joints, axis=0) / np.diff(due)[:, None]
    speeds = np.vstack((np.zeros(len(start)), slopes))
    k = np.clip(np.searchsorted(due, times, side="right") - 1, 0, len(due) - 2)
    span = np.diff(due)[k][:, None]
    s = np.clip((times[:, None] - due[k][:, None]) / span, 0.0, 1.0)
    a, b, va, vb = joints[k], joints[k + 1], speeds[k] * span, speeds[k + 1] * span
    rest: Array = a + s * (va + s * (3.0 * (b - a) - 2.0 * va - vb + s * (va + vb - 2.0 * (b - a))))
    return rest


def _first(targets: Targets) -> float:
    """When motion to the first target may begin [s]: one period before it is due, but not before it is known."""
    return float(max(targets.known[0], targets.due[0] - (targets.due[1] - targets.due[0])))


def record(controller: ArmController, dt: float, run: Run, until: float = 0.0) -> Bench:
    """Bench on which ``controller`` has played a run, to ``until`` [s] or to half a second after its last chunk."""
    bench = Bench(controller, dt, INSTRUCTION, run.start)
    frame, k = controller.config.base_frame, 0
    while bench.now < (until or run.arrivals[-1] + 0.5):
        while k < len(run.chunks) and run.arrivals[k] <= bench.now + 1e-9:
            controller.accept(replace(run.chunks[k], frame_id=frame), bench.now)
            k += 1
        bench.tick()
    return bench


def this_controller(controller: ArmController, dt: float, run: Run, times: Array) -> Array:
    """Setpoints of this package, with the quintics between them that a joint_trajectory_controller makes of them."""
    bench = record(controller, dt, run, times[-1] + dt)
    ahead = bench.setpoints[0].ahead
    tick = slice(1, 1 + round(dt / ahead.times[1]))
    way = ahead.part(slice(0, 1))
    for k, row in enumerate(bench.setpoints):
        way = way.then(row.ahead.part(tick).shifted(k * dt))
    return sample(way, times, "quintic")[0]


WAYS: dict[str, Callable[[Targets, Array, Array], Array]] = {"hold_last": hold_last, "linear": linear, "cubic": cubic}


class Arm:
    """The robot's own description with its own position servos; gravity is compensated, as the real arms do."""

    def __init__(self, config: RobotConfig) -> None:
        """Needs a description with one position servo a joint, named like it."""
        spec = mujoco.MjSpec.from_file(str(config.model.path()))
        for element in [*spec.geoms, *spec.meshes, *spec.excludes]:
            spec.delete(element)
        self._model = spec.compile()
        self._model.opt.gravity[:], self._model.opt.timestep = 0.0, 1.0 / RATE
        self._data = mujoco.MjData(self._model)
        self._joints = [self._model.joint(name).qposadr[0] for name in config.joints]
        self._servos = [self._model.actuator(name).id for name in config.joints]

    def follow(self, commands: Array) -> Array:
        """Joints (t, n) [rad] of an arm given ``commands`` (t, n) [rad] at 1 kHz, from rest at the first one."""
        mujoco.mj_resetData(self._model, self._data)
        self._data.qpos[self._joints] = commands[0]
        rows = np.empty_like(commands)
        for k, command in enumerate(commands):
            self._data.ctrl[self._servos] = command
            mujoco.mj_step(self._model, self._data)
            rows[k] = self._data.qpos[self._joints]
        return rows


def judge(command: Array, arm: Array, path: Array, kinematics: Kinematics, top_speed: Array) -> Seams:
    """Figures of one way: ``command`` and ``arm`` (t, n) [rad] against the tool's ``path`` (t, 3) [m]."""
    coarse = command[:: round(RATE / 20.0)]
    tools = [np.array([kinematics.fk(q).position for q in rows[::_SPARSE]]) for rows in (command, arm)]
    command_delay, command_rms, command_max = _error(tools[0], path[::_SPARSE])
    delay, rms, worst = _error(tools[1], path[::_SPARSE])
    return Seams(
        peak_speed=float((np.abs(np.diff(coarse, axis=0)) * 20.0 / top_speed).max()),
        peak_acceleration=_peak(command, 2, RATE),
        peak_jerk=_peak(command, 3, RATE),
        peak_acceleration_20_hz=_peak(coarse, 2, 20.0),
        arm_peak_acceleration=_peak(arm, 2, RATE),
        arm_peak_jerk=_peak(arm, 3, RATE),
        delay_ms=delay,
        tracking_rms=rms,
        tracking_max=worst,
        command_delay_ms=command_delay,
        command_rms=command_rms,
        command_max=command_max,
    )


def _peak(rows: Array, order: int, rate: float) -> float:
    return float(np.abs(np.diff(rows, order, axis=0)).max() * rate**order)


def _error(rows: Array, path: Array) -> tuple[float, float, float]:
    """Delay [ms] of ``rows`` behind ``path`` with the least root mean square distance [m], that, and the peak."""
    best = (0.0, np.inf, np.inf)
    for shift in range(round(_LONGEST_DELAY * RATE / _SPARSE)):
        off = np.linalg.norm(rows[shift:] - path[: len(path) - shift], axis=1)
        rms = float(np.sqrt(np.mean(off**2)))
        if rms < best[1]:
            best = (1e3 * shift * _SPARSE / RATE, rms, float(off.max()))
    return best
