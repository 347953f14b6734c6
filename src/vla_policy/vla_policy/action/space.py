# SPDX-License-Identifier: Apache-2.0
"""An action space is data: which dimensions, in which order, range and unit, and how a value becomes a token.

The JSON form, written beside every checkpoint, is `ActionSpace.to_dict`:
`{"format": "vla_action_space/1", "name", "bins", "rounding", "frame", "mode", "delta_reference", "rotation",
"dimensions": [{"name", "low", "high", "unit", "categories"}]}`; `categories` is null for a continuous dimension.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, TypeVar

from vla_core.action import ActionMode, DeltaReference

from vla_policy.errors import ActionSpaceError

FORMAT = "vla_action_space/1"
MAX_NUMBER = 1e300  # of a range
MAX_BINS = 65536  # tokens are uint16
_E = TypeVar("_E", bound=Enum)


class Rounding(Enum):
    """How a continuous value becomes one of the bins (worst errors for a range of width w and 256 bins).

    TRUNCATE: floor(x * 255) as RT-1 does, decoded on the bin's lower grid point; worst error w / 255, biased down.
    NEAREST: round(x * 255) on the same grid; worst error w / 510, unbiased.
    CENTRES: OpenVLA's 256 edges with 255 centres; tokens 254 and 255 decode alike; worst error w / 510.
    """

    TRUNCATE = "truncate"
    NEAREST = "nearest"
    CENTRES = "centres"


class RotationFormat(Enum):
    """What the dimensions roll, pitch, yaw [rad] are: a rotation vector, or angles with R = Rz Ry Rx."""

    ROTATION_VECTOR = "rotation_vector"
    RPY = "rpy"


@dataclass(frozen=True, slots=True)
class Dimension:
    """One number of an action. `low` and `high` are in `unit`; a discrete one counts its categories from 0."""

    name: str
    low: float
    high: float
    unit: str
    categories: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        """Raise ActionSpaceError for an empty name, a bad range or bad categories."""
        if not self.name or not isinstance(self.name, str):
            raise ActionSpaceError(f"dimension name is {self.name!r}; valid is a word")
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ActionSpaceError(f"{self.name}: range is [{self.low}, {self.high}]; valid is finite low < high")
        if self.high - self.low < 1e-6 * max(abs(self.low), abs(self.high)):
            raise ActionSpaceError(f"{self.name}: range [{self.low}, {self.high}] is too narrow for its magnitude")
        if self.categories is not None:
            self._check_categories(self.categories)

    def _check_categories(self, categories: tuple[str, ...]) -> None:
        if len(categories) < 2 or len(set(categories)) != len(categories):
            raise ActionSpaceError(f"{self.name}: categories are {categories}; valid are two or more distinct names")
        if (self.low, self.high) != (0.0, float(len(categories) - 1)):
            raise ActionSpaceError(
                f"{self.name}: range is [{self.low}, {self.high}]; valid for its categories is [0, "
                f"{len(categories) - 1}]"
            )

    @property
    def discrete(self) -> bool:
        """Whether the value is the index of a category."""
        return self.categories is not None


def discrete(name: str, *categories: str) -> Dimension:
    """Return a discrete dimension whose value is the index of one of `categories`."""
    return Dimension(name, 0.0, float(len(categories) - 1), "index", categories)


@dataclass(frozen=True, slots=True)
class ActionSpace:
    """The dimensions in token order and how they are read. `frame` names the frame of poses and deltas."""

    name: str
    dimensions: tuple[Dimension, ...]
    rounding: Rounding = Rounding.NEAREST
    bins: int = 256
    frame: str = "base"
    mode: ActionMode = ActionMode.EE_DELTA
    delta_reference: DeltaReference = DeltaReference.OBSERVED
    rotation: RotationFormat = RotationFormat.ROTATION_VECTOR

    def __post_init__(self) -> None:
        """Raise ActionSpaceError for repeated names, too many categories or an impossible number of bins."""
        if not self.dimensions:
            raise ActionSpaceError(f"{self.name}: no dimensions; valid is at least one")
        if len(set(self.names)) != len(self.names):
            raise ActionSpaceError(f"{self.name}: dimension names repeat: {', '.join(self.names)}")
        if isinstance(self.bins, bool) or not isinstance(self.bins, int) or not 2 <= self.bins <= MAX_BINS:
            raise ActionSpaceError(f"{self.name}: bins is {self.bins!r}; valid is a whole number 2 to {MAX_BINS}")
        if max(self.sizes) > self.bins:
            raise ActionSpaceError(f"{self.name}: a dimension has more categories than the {self.bins} bins")

    @property
    def names(self) -> tuple[str, ...]:
        """Dimension names in token order."""
        return tuple(dimension.name for dimension in self.dimensions)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of valid tokens of each dimension: the bins, or the categories."""
        return tuple(self.bins if d.categories is None else len(d.categories) for d in self.dimensions)

    def index(self, name: str) -> int:
        """Return the position of a dimension. Raises ActionSpaceError that lists the valid names."""
        if name not in self.names:
            raise ActionSpaceError(f"{self.name} has no dimension {name!r}; valid are {', '.join(self.names)}")
        return self.names.index(name)

    def with_ranges(self, ranges: Mapping[str, tuple[float, float]]) -> "ActionSpace":
        """Return the same space with other (low, high) for the named dimensions, for example a data set's quantiles."""
        changed = {self.index(name): ranges[name] for name in ranges}
        dimensions = tuple(
            replace(d, low=float(changed[i][0]), high=float(changed[i][1])) if i in changed else d
            for i, d in enumerate(self.dimensions)
        )
        return replace(self, dimensions=dimensions)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "format": FORMAT,
            "name": self.name,
            "bins": self.bins,
            "rounding": self.rounding.value,
            "frame": self.frame,
            "mode": self.mode.name.lower(),
            "delta_reference": self.delta_reference.name.lower(),
            "rotation": self.rotation.value,
            "dimensions": [
                {
                    "name": d.name,
                    "low": d.low,
                    "high": d.high,
                    "unit": d.unit,
                    "categories": None if d.categories is None else list(d.categories),
                }
                for d in self.dimensions
            ],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "ActionSpace":
        """Read the JSON form. Raises ActionSpaceError that names the key, what was received and what is valid."""
        _check_keys(
            "action space",
            data,
            ("format", "name", "bins", "rounding", "frame", "mode", "delta_reference", "rotation", "dimensions"),
        )
        if data["format"] != FORMAT:
            raise ActionSpaceError(f"format is {data['format']!r}; valid is {FORMAT!r}")
        if not isinstance(data["dimensions"], list):
            raise ActionSpaceError(f"dimensions is {type(data['dimensions']).__name__}; valid is a list")
        return cls(
            name=_string(data, "name"),
            frame=_string(data, "frame"),
            bins=data["bins"],
            dimensions=tuple(_dimension(item) for item in data["dimensions"]),
            rounding=_member(Rounding, {m.value: m for m in Rounding}, data, "rounding"),
            rotation=_member(RotationFormat, {m.value: m for m in RotationFormat}, data, "rotation"),
            mode=_member(ActionMode, {m.name.lower(): m for m in ActionMode}, data, "mode"),
            delta_reference=_member(
                DeltaReference, {m.name.lower(): m for m in DeltaReference}, data, "delta_reference"
            ),
        )


def _check_keys(what: str, data: object, keys: tuple[str, ...]) -> None:
    if not isinstance(data, Mapping):
        raise ActionSpaceError(f"{what} is {type(data).__name__}; valid is an object with {', '.join(keys)}")
    missing, unknown = set(keys) - set(data), set(data) - set(keys)
    if missing or unknown:
        raise ActionSpaceError(
            f"{what}: missing {sorted(missing)}, unknown {sorted(map(str, unknown))}; valid keys are {', '.join(keys)}"
        )


def _string(data: Mapping[str, Any], key: str) -> str:
    if not isinstance(data[key], str):
        raise ActionSpaceError(f"{key} is {data[key]!r}; valid is a text")
    return str(data[key])


def _member(_: type[_E], members: dict[str, _E], data: Mapping[str, Any], key: str) -> _E:
    value = data[key]
    if not isinstance(value, str) or value not in members:
        raise ActionSpaceError(f"{key} is {value!r}; valid are {', '.join(members)}")
    return members[value]


def _dimension(item: object) -> Dimension:
    _check_keys("dimension", item, ("name", "low", "high", "unit", "categories"))
    assert isinstance(item, Mapping)
    for key in ("low", "high"):
        if isinstance(item[key], bool) or not isinstance(item[key], int | float):
            raise ActionSpaceError(f"{item['name']}: {key} is {item[key]!r}; valid is a number")
        if abs(item[key]) > MAX_NUMBER:  # also what no float holds
            raise ActionSpaceError(f"{item['name']}: {key} is too large; valid is a finite number up to {MAX_NUMBER:g}")
    categories = item["categories"]
    if categories is not None and not (isinstance(categories, list) and all(isinstance(c, str) for c in categories)):
        raise ActionSpaceError(f"{item['name']}: categories is {categories!r}; valid is null or a list of texts")
    return Dimension(
        _string(item, "name"),
        float(item["low"]),
        float(item["high"]),
        _string(item, "unit"),
        None if categories is None else tuple(categories),
    )
