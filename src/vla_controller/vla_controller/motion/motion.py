# SPDX-License-Identifier: Apache-2.0
"""States of the arm's joints at increasing times: where a tick leads, and the stop after it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

_REST_VELOCITY = 1e-5  # [rad/s]
_REST_ACCELERATION = 1e-3  # [rad/s^2]


@dataclass(frozen=True, slots=True)
class JointState:
    """Positions [rad], velocities [rad/s] and accelerations [rad/s^2] of the arm's joints, each (n,)."""

    q: Array
    qd: Array
    qdd: Array

    @property
    def at_rest(self) -> bool:
        """Whether nothing moves any more."""
        return bool(np.all(np.abs(self.qd) < _REST_VELOCITY) and np.all(np.abs(self.qdd) < _REST_ACCELERATION))

    def still(self) -> JointState:
        """The same positions, with velocities and accelerations exactly zero."""
        return JointState(self.q, np.zeros_like(self.q), np.zeros_like(self.q))


@dataclass(frozen=True, slots=True)
class Motion:
    """States at increasing ``times`` (k,) [s]; the others are (k, n), as in :class:`JointState`."""

    times: Array
    q: Array
    qd: Array
    qdd: Array

    @staticmethod
    def standing(state: JointState, times: Array) -> Motion:
        """``state`` at each of ``times`` (k,) [s]."""
        rows = (np.tile(row, (len(times), 1)) for row in (state.q, state.qd, state.qdd))
        return Motion(times, *rows)

    @property
    def begin(self) -> JointState:
        """The first state."""
        return JointState(self.q[0], self.qd[0], self.qdd[0])

    @property
    def end(self) -> JointState:
        """The last state."""
        return JointState(self.q[-1], self.qd[-1], self.qdd[-1])

    def ending(self, state: JointState) -> Motion:
        """The same motion with another last state."""
        rows = ((self.q, state.q), (self.qd, state.qd), (self.qdd, state.qdd))
        return Motion(self.times, *(np.vstack((row[:-1], last)) for row, last in rows))

    def shifted(self, seconds: float) -> Motion:
        """The same states ``seconds`` later."""
        return Motion(self.times + seconds, self.q, self.qd, self.qdd)

    def part(self, rows: slice) -> Motion:
        """Some of the states."""
        return Motion(self.times[rows], self.q[rows], self.qd[rows], self.qdd[rows])

    def then(self, other: Motion) -> Motion:
        """This motion and the ``other`` after it."""
        pairs = ((self.q, other.q), (self.qd, other.qd), (self.qdd, other.qdd))
        return Motion(np.concatenate((self.times, other.times)), *(np.vstack(pair) for pair in pairs))
