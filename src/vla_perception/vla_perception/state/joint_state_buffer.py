# SPDX-License-Identifier: Apache-2.0
"""Joint states at the moment an image was captured."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vla_perception.errors import StateError
from vla_perception.state.stamped_ring import FloatArray, StampedRing


@dataclass(frozen=True, slots=True)
class JointSample:
    """Joints at one moment, in the buffer's order; joints never heard of are left out of the arrays and listed."""

    names: tuple[str, ...]  # (n,)
    position: FloatArray  # (n,) [rad] or [m]
    velocity: FloatArray  # (n,) [rad/s] or [m/s]; (0,) unless the driver sends all of them
    gap_s: float  # [s] to the furthest sample found, left out or not; inf when there was none
    missing: tuple[str, ...]
    stale: tuple[str, ...] = ()  # of the missing ones, those whose samples are too far away in time


class JointStateBuffer:
    """Recent joint states. Joints may come in several messages (arm, gripper), each with its own rate.

    ``names`` are the joints wanted, in order; other joints are ignored. With ``extend``, those that come in the first
    message which holds all of ``names`` are appended, so that empty ``names`` mean whatever the driver sends.
    """

    def __init__(self, names: Sequence[str] = (), *, extend: bool = False, capacity: int = 256) -> None:
        self._names = self._required = tuple(names)
        self._extend = extend
        self._capacity = capacity
        self._rings: dict[tuple[int, ...], StampedRing] = {}  # by the indices of the joints that come together

    @property
    def names(self) -> tuple[str, ...]:
        """The joints wanted, in the order of the samples."""
        return self._names

    @property
    def newest_ns(self) -> int | None:
        """Stamp [ns] up to which every joint is known; None before the first message."""
        newest: dict[int, int] = {}
        for key, ring in self._rings.items():
            for joint in key:
                newest[joint] = max(newest.get(joint, 0), ring.newest_ns or 0)
        return min(newest.values()) if newest else None

    def insert(
        self, stamp_ns: int, names: Sequence[str], position: Sequence[float], velocity: Sequence[float] = ()
    ) -> bool:
        """Store one sensor_msgs/JointState; return True when a clock set back cleared what was known.

        Joints that nobody wants are dropped before anything is judged: wheels of NaN beside an arm do no harm.

        Raises:
            StateError: lengths disagree, a name repeats, or a wanted position is not finite; nothing is stored then.
        """
        if self._required and names and not set(names) & set(self._names) and not self._extend:
            return False
        positions, velocities = _lengths_checked(names, position, velocity)
        finite = np.isfinite(positions)
        if self._extend and set(self._names) <= set(names):
            usable = [name for name, good in zip(names, finite, strict=True) if good or not self._required]
            self._names += tuple(name for name in usable if name not in self._names)
            self._extend = False
        wanted = {name: index for index, name in enumerate(self._names)}
        picked = sorted((wanted[name], column) for column, name in enumerate(names) if name in wanted)
        if self._required:  # of the others, those without a value are left out
            picked = [(index, column) for index, column in picked if finite[column] or index < len(self._required)]
        if not picked:
            return False
        _check_finite([names[column] for _, column in picked], positions[[column for _, column in picked]])
        key = tuple(index for index, _ in picked)
        columns = [column for _, column in picked]
        ring = self._rings.setdefault(key, StampedRing(self._capacity))
        jumped = ring.insert(stamp_ns, np.stack([positions[columns], velocities[columns]]))
        if jumped:
            self._rings = {key: ring}
        return jumped

    def at(self, stamp_ns: int, max_gap_s: float = float("inf")) -> JointSample:
        """Return the joints at `stamp_ns` [ns]: linear between neighbours, the nearest sample at the ends.

        Joints whose samples are all farther than `max_gap_s` [s] away are left out: an arm must not be told the width
        of a gripper whose driver died.
        """
        values = np.full((2, len(self._names)), np.nan)
        gaps = np.full(len(self._names), np.nan)  # (n,) [s] of the samples used
        found = [(key, ring.bracket(stamp_ns)) for key, ring in self._rings.items()]
        brackets = [(key, bracket) for key, bracket in found if bracket is not None]
        # A joint that comes in two groups is taken from the group nearer in time.
        for key, bracket in sorted(brackets, key=lambda item: -item[1].gap_s):
            near = bracket.gap_s <= max_gap_s
            mixed = bracket.before + bracket.fraction * (bracket.after - bracket.before)
            values[:, list(key)] = mixed if near else np.nan
            gaps[list(key)] = bracket.gap_s
        known = np.isfinite(values[0])
        heard = {index for key, _ in brackets for index in key}
        position, velocity = values[:, known]
        return JointSample(
            names=tuple(name for name, here in zip(self._names, known, strict=True) if here),
            position=position,
            velocity=velocity if np.all(np.isfinite(velocity)) else np.zeros(0),
            gap_s=float(np.nanmax(gaps)) if heard else float("inf"),
            missing=tuple(name for name, here in zip(self._names, known, strict=True) if not here),
            stale=tuple(name for index, name in enumerate(self._names) if index in heard and not known[index]),
        )


def _lengths_checked(
    names: Sequence[str], position: Sequence[float], velocity: Sequence[float]
) -> tuple[FloatArray, FloatArray]:
    positions, velocities = np.asarray(position, dtype=np.float64), np.asarray(velocity, dtype=np.float64)
    if len(names) == 0 or positions.shape != (len(names),) or velocities.size not in (0, len(names)):
        raise StateError(
            f"malformed joint state: {len(names)} names, {positions.size} positions, {velocities.size} velocities; "
            "valid: as many positions as names, and as many velocities or none"
        )
    if len(set(names)) != len(names):
        raise StateError(f"malformed joint state: repeated joint names in {list(names)}; every name must be unique")
    return positions, velocities if velocities.size else np.full(len(names), np.nan)


def _check_finite(names: Sequence[str], positions: FloatArray) -> None:
    if not np.all(np.isfinite(positions)):
        raise StateError(f"malformed joint state: positions {positions.tolist()} of {list(names)} must be finite")


def gripper_width(sample: JointSample, fingers: Sequence[str]) -> float:
    """Distance between the finger pads [m], NaN when a finger is unknown or none is named.

    It is the travel of all ``fingers`` together; a single one stands for a symmetric gripper and counts twice.
    Magnitudes are added, because some drivers count the two fingers of a gripper in opposite directions.
    """
    if not fingers or not set(fingers) <= set(sample.names):
        return float("nan")
    travel = sum(abs(float(sample.position[sample.names.index(finger)])) for finger in fingers)
    return 2.0 * travel if len(fingers) == 1 else travel
