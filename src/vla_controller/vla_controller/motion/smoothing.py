# SPDX-License-Identifier: Apache-2.0
"""A filter that rounds the corners of a reference: no overshoot, continuous acceleration, a constant known delay."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vla_controller.motion.limiter import parts_of
from vla_controller.motion.motion import JointState, Motion

Array = npt.NDArray[np.float64]


class ReferenceFilter:
    """Three equal first-order lags in series for each joint, solved exactly for an input linear between samples.

    It follows a ramp ``delay`` seconds late; reading the reference ``delay`` ahead makes it arrive on time.
    """

    def __init__(self, delay: float, dt: float) -> None:
        """``delay`` [s] of the filter, ``dt`` [s] between samples."""
        w = 3.0 / delay
        system = np.zeros((5, 5))  # position, velocity, acceleration; input, slope of the input
        system[0, 1] = system[1, 2] = system[3, 4] = 1.0
        system[2, :4] = [-(w**3), -3.0 * w**2, -3.0 * w, w**3]
        self._times = parts_of(dt)
        self._transitions = np.array([_exponential(system * time)[:3] for time in self._times])  # (k, 3, 5)
        self._dt = dt
        self._input = np.zeros(0)

    @property
    def input(self) -> Array:
        """The input (n,) at the last sample."""
        return self._input

    def start(self, q: Array) -> None:
        """Begin with the input at rest at ``q`` (n,)."""
        self._input = q

    def step(self, state: JointState, target: Array) -> Motion:
        """The tick after ``state``, when the input goes linearly to ``target`` (n,) meanwhile."""
        slope = (target - self._input) / self._dt
        rows = self._transitions @ np.stack((state.q, state.qd, state.qdd, self._input, slope))
        self._input = target
        return Motion(self._times, rows[:, 0], rows[:, 1], rows[:, 2])


def _exponential(matrix: Array) -> Array:
    """Matrix exponential by scaling, a Taylor series and squaring."""
    squarings = max(0, int(np.ceil(np.log2(max(1e-9, np.abs(matrix).sum(axis=1).max())))) + 4)
    scaled = matrix / 2.0**squarings
    term = result = np.eye(len(matrix))
    for k in range(1, 16):
        term = term @ scaled / k
        result = result + term
    for _ in range(squarings):
        result = result @ result
    return result
