# SPDX-License-Identifier: Apache-2.0
"""Whether the arm moves away from a setpoint that follows it, as joint states that drift make believe."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vla_controller.refusals import Refusal

Array = npt.NDArray[np.float64]

_MOST = 0.25  # [rad] by which the arm may move on, in one direction, while its setpoint comes to it


class Flight:
    """Adds up by how much the arm has moved on between two times at which the setpoint was led to it.

    An arm that is blocked stays where it is, one that was guided by hand stays where it was left. One that moves on
    each time is guided by somebody, or it is the setpoint that moves it and the joint states are wrong: a sensor that
    drifts, or is off, would let the setpoint pursue it without end.
    """

    def __init__(self) -> None:
        """Nothing has been followed."""
        self._before: tuple[Array, Array] | None = None  # the way to the arm (n,) [rad], and where the arm was
        self._fled = 0.0

    def forget(self) -> None:
        """Begin from nothing: a person is there, or setpoints begin elsewhere."""
        self._before, self._fled = None, 0.0

    def follow(self, setpoint: Array, place: Array) -> Refusal | None:
        """The setpoint, at (n,) [rad], is to be led to the arm at `place` (n,) [rad]; return why it must not be."""
        way = place - setpoint
        if self._before is not None:
            last_way, last_place = self._before
            share = float((place - last_place) @ last_way / (last_way @ last_way))
            on = share * float(np.abs(last_way).max())
            self._fled = self._fled + on if on > 0.0 and way @ last_way > 0.0 else 0.0
        if self._fled >= _MOST:
            text = f"the arm has moved on by {self._fled:.2f} rad while its setpoint came to it: do joint states drift?"
            return Refusal("arm_flees", text)
        self._before = (way, place)
        return None
