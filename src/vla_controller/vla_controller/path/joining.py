# SPDX-License-Identifier: Apache-2.0
"""How a new chunk is joined to what earlier chunks said about the same time: ways that others use, by the due times.

A chunk is a prediction of where to be from its first due step to its last. What an earlier chunk predicted for the due
time of a new step is read between its own steps. `latest` takes the new step; `weighted` mixes it with the plan so far
(LeRobot's aggregates); `ensemble` averages over all chunks that predicted that time (ACT's temporal ensemble).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt
from vla_core.rotation import Pose, normalise

from vla_controller.path.reference import Path, Waypoint
from vla_controller.settings import ControllerSettings

Array = npt.NDArray[np.float64]
Value = TypeVar("Value", Pose, Array)

NEWER = {"weighted_average": 0.7, "latest_only": 1.0, "average": 0.5, "conservative": 0.3}  # weight of the new step
_MOST = 16  # earlier chunks that an ensemble averages over
_OPPOSITE = 1e-3  # length of a sum of unit quaternions below which they have no mean


class Joining(Generic[Value]):
    """Turns the targets of a chunk into those that are followed; remembers what earlier chunks predicted."""

    def __init__(
        self,
        settings: ControllerSettings,
        sample: Callable[[Path[Value], float], Value],
        mean: Callable[[Sequence[Value], Sequence[float]], Value],
    ) -> None:
        """``sample`` reads a path at a time [s]; ``mean`` averages values with weights that add up to 1."""
        self._way, self._newer = settings.joining, NEWER[settings.joining_aggregate]
        self._decay = settings.joining_decay
        self._sample: Callable[[Path[Value], float], Value] = sample
        self._mean: Callable[[Sequence[Value], Sequence[float]], Value] = mean
        self._earlier: deque[Path[Value]] = deque(maxlen=_MOST)  # predictions, the oldest first

    def clear(self) -> None:
        """Forget what earlier chunks predicted."""
        self._earlier.clear()

    def join(self, plan: Path[Value] | None, times: Sequence[float], values: Sequence[Value]) -> tuple[Value, ...]:
        """Return what to follow at ``times`` [s], for which a new chunk says ``values``.

        ``plan``: what was to be followed so far, by chunks and ways of joining before; None: nothing.
        """
        if self._way == "latest":
            return tuple(values)
        if self._way == "weighted":
            return tuple(self._mixed(plan, time, value) for time, value in zip(times, values, strict=True))
        new = Path(tuple(Waypoint(time, value) for time, value in zip(times, values, strict=True)))
        joined = tuple(self._averaged(time, value) for time, value in zip(times, values, strict=True))
        self._earlier.append(new)
        return joined

    def _mixed(self, plan: Path[Value] | None, time: float, value: Value) -> Value:
        if plan is None or not plan.waypoints[0].time <= time <= plan.end:
            return value
        return self._mean((self._sample(plan, time), value), (1.0 - self._newer, self._newer))

    def _averaged(self, time: float, value: Value) -> Value:
        said: list[Value] = []
        for path in self._earlier:
            if path.waypoints[0].time <= time <= path.end:
                said.append(self._sample(path, time))
        said.append(value)
        weights = np.exp(-self._decay * np.arange(len(said)))
        return self._mean(said, (weights / weights.sum()).tolist())


def mean_joints(values: Sequence[Array], weights: Sequence[float]) -> Array:
    """Return the weighted mean (n,) of joint positions (n,) [rad]; the weights add up to 1."""
    mean: Array = np.tensordot(np.asarray(weights), np.asarray(values), axes=1)
    return mean


def mean_pose(values: Sequence[Pose], weights: Sequence[float]) -> Pose:
    """Return the weighted mean of poses; the weights add up to 1.

    Quaternions are added with the signs that bring them nearest to the last one, which is returned where rotations are
    too far apart for a mean.
    """
    rows = np.array([pose.quaternion for pose in values])
    signs = np.where(rows @ rows[-1] < 0.0, -1.0, 1.0)
    total = (np.asarray(weights) * signs) @ rows
    length = float(np.sqrt(total @ total))
    quaternion = normalise(total) if length > _OPPOSITE else rows[-1]
    return Pose(mean_joints([pose.position for pose in values], weights), quaternion)
