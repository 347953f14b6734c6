# SPDX-License-Identifier: Apache-2.0
"""The tool centre point's pose at the moment an image was captured."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from vla_core.rotation import slerp

from vla_perception.errors import StateError
from vla_perception.state.stamped_ring import FloatArray, StampedRing


@dataclass(frozen=True, slots=True)
class PoseSample:
    """A pose at one moment, in the frame of the buffered poses."""

    position: FloatArray  # (3,) [m]
    quaternion_xyzw: FloatArray  # (4,) unit length
    gap_s: float  # [s] to the further of the poses used


class PoseBuffer:
    """Recent poses of one frame in another."""

    def __init__(self, capacity: int = 256) -> None:
        self._ring = StampedRing(capacity)

    @property
    def newest_ns(self) -> int | None:
        """Latest stamp [ns]; None before the first pose."""
        return self._ring.newest_ns

    def clear(self) -> None:
        """Forget everything."""
        self._ring.clear()

    def insert(self, stamp_ns: int, position: Sequence[float], quaternion_xyzw: Sequence[float]) -> bool:
        """Store one pose ([m], quaternion of any length but zero); True when a clock set back cleared what was known.

        Raises StateError for numbers that are not finite or a zero quaternion.
        """
        pose = np.asarray([*position, *quaternion_xyzw], dtype=np.float64)
        length = float(np.linalg.norm(pose[3:]))
        if pose.shape != (7,) or not np.all(np.isfinite(pose)) or length < 1e-6:
            raise StateError(
                f"malformed pose {pose.tolist()}; valid: x y z [m] and a quaternion x y z w, finite, not zero"
            )
        pose[3:] /= length
        return self._ring.insert(stamp_ns, pose)

    def at(self, stamp_ns: int) -> PoseSample | None:
        """The pose at ``stamp_ns`` [ns]: linear position, slerp rotation; the nearest where there is only one side."""
        bracket = self._ring.bracket(stamp_ns)
        if bracket is None:
            return None
        before, after, fraction = bracket.before, bracket.after, bracket.fraction
        position = before[:3] + fraction * (after[:3] - before[:3])
        return PoseSample(position, slerp(before[3:], after[3:], fraction), bracket.gap_s)
