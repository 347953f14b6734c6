# SPDX-License-Identifier: Apache-2.0
"""What a policy sees and says: cameras, state vectors, prompt, action vector, step period."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from vla_core.action import ActionMode
from vla_core.observation_map.camera import Camera
from vla_core.observation_map.errors import ObservationMapError
from vla_core.observation_map.part import ACTION_KINDS, STATE_KINDS, Part, PartKind
from vla_core.robot import RobotConfig

MAX_PERIOD_S = 10.0  # [s]
JOINT_MODES = (ActionMode.JOINT_POSITION, ActionMode.JOINT_DELTA, ActionMode.JOINT_VELOCITY)


class Relative(Enum):
    """What the steps of a delta action are relative to."""

    OBSERVATION = "observation"  # every step: to the state that was observed
    PREVIOUS = "previous"  # step 0: to the state that was observed, each later one to the step before
    COMMANDED = "commanded"  # step 0: to the controller's last setpoint, each later one to the step before


class ActionFrame(Enum):
    """Axes of a tool delta."""

    BASE = "base"  # of the robot's base frame, applied from the left
    TOOL = "tool"  # of the tool itself, applied from the right


@dataclass(frozen=True, slots=True)
class StateVector:
    """One vector of the policy's input; names: of its columns, for a server that takes each number by name."""

    key: str
    parts: tuple[Part, ...]
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raise ObservationMapError for an empty key, no parts or parts of an action."""
        if not self.key:
            raise ObservationMapError("key is ''; valid is the vector's name in the policy's input")
        _check_parts(self.parts, STATE_KINDS)

    @property
    def width(self) -> int:
        """Number of columns."""
        return sum(part.width for part in self.parts)


@dataclass(frozen=True, slots=True)
class Action:
    """The columns of an action, in order. key: of the array in a server's answer; parts may name arrays of their own.

    A chunk is one array (h, width) of these columns, whatever the number of arrays that a server sends.
    """

    mode: ActionMode
    parts: tuple[Part, ...]
    key: str = "actions"
    relative_to: Relative = Relative.PREVIOUS
    frame: ActionFrame = ActionFrame.BASE

    def __post_init__(self) -> None:
        """Raise ObservationMapError for parts that the mode does not go with."""
        _check_parts(self.parts, ACTION_KINDS)
        kinds = [part.part for part in self.parts]
        for kind in set(kinds) - {PartKind.IGNORED}:
            if kinds.count(kind) > 1:
                raise ObservationMapError(f"parts has {kind.value} more than once; valid is once")
        is_joint = self.mode in JOINT_MODES
        wrong = {PartKind.TRANSLATION, PartKind.ROTATION} if is_joint else {PartKind.JOINTS}
        wanted = {PartKind.JOINTS} if is_joint else {PartKind.TRANSLATION}
        if self.mode is ActionMode.EE_POSE:
            wanted = {PartKind.TRANSLATION, PartKind.ROTATION}
        if wrong & set(kinds) or wanted - set(kinds):
            raise ObservationMapError(
                f"parts are {_names(kinds)}; valid for mode {self.mode.name.lower()}: with {_names(wanted)}, "
                f"without {_names(wrong)}"
            )
        if self.frame is ActionFrame.TOOL and self.mode is not ActionMode.EE_DELTA:
            raise ObservationMapError("frame is 'tool'; valid for this mode is 'base'")
        if self.frame is ActionFrame.TOOL and self.relative_to is Relative.COMMANDED:
            raise ObservationMapError("relative_to is 'commanded'; valid for frame tool are observation, previous")

    @property
    def width(self) -> int:
        """Number of columns."""
        return sum(part.width for part in self.parts)

    def arrays(self) -> dict[str, tuple[int, int]]:
        """Return the columns (first, end) of each array of the answer, by its key in order."""
        found: dict[str, tuple[int, int]] = {}
        end = 0
        for part in self.parts:
            start, end = end, end + part.width
            key = part.key or self.key
            if key in found and found[key][1] != start:
                raise ObservationMapError(f"parts of key {key!r} do not follow each other")
            found[key] = (found[key][0] if key in found else start, end)
        return found


def _names(kinds: Iterable[PartKind]) -> str:
    return ", ".join(sorted(kind.value for kind in kinds))


def _check_parts(parts: tuple[Part, ...], valid: tuple[PartKind, ...]) -> None:
    if not parts:
        raise ObservationMapError("parts is empty; valid is at least one")
    for part in parts:
        if part.part not in valid:
            names = ", ".join(kind.value for kind in valid)
            raise ObservationMapError(f"part is {part.part.value!r}; valid here are {names}")


@dataclass(frozen=True, slots=True)
class ObservationMap:
    """What a policy sees and says. Bind it to a robot with `for_robot` before numbers are made.

    cameras: the first is the reference, whose image triggers; prompt: key of the instruction; horizon: steps of a
    chunk, 0: any; period_s: between steps [s]; execute: steps of a chunk that are used, 0: all; history: image times
    that the policy sees, in steps before the newest, oldest first, ending in 0; constants: further entries of the
    input; complete_from: whose metadata completes it (gr00t, lerobot), empty when nothing is missing.
    """

    cameras: tuple[Camera, ...]
    name: str = ""
    state: tuple[StateVector, ...] = ()
    prompt: str = ""
    action: Action | None = None
    period_s: float = 0.2
    horizon: int = 0
    execute: int = 0
    history: tuple[int, ...] = (0,)
    constants: Mapping[str, str | float] = field(default_factory=dict)
    complete_from: str = ""
    robot: RobotConfig | None = None

    def __post_init__(self) -> None:
        """Raise ObservationMapError for repeated names or keys, or numbers out of their range."""
        if not self.cameras:
            raise ObservationMapError("cameras is empty; valid is at least one, the reference")
        _check_unique("camera names", [camera.name for camera in self.cameras])
        _check_unique("keys", [key for key in self.keys if key])
        for camera in self.cameras[1:]:
            if not camera.topic:
                raise ObservationMapError(f"camera {camera.name}: topic is ''; only the first camera may have none")
        if not 0.0 < self.period_s <= MAX_PERIOD_S:
            raise ObservationMapError(f"period_s is {self.period_s}; valid is above 0 to {MAX_PERIOD_S:g}")
        if self.horizon < 0 or not 0 <= self.execute <= (self.horizon or math.inf):
            raise ObservationMapError(
                f"horizon is {self.horizon}, execute {self.execute}; valid is 0 <= execute <= horizon"
            )
        if not self.history or self.history[-1] != 0 or list(self.history) != sorted(set(self.history)):
            raise ObservationMapError(f"history is {list(self.history)}; valid are rising whole numbers that end in 0")
        if not self.complete_from:
            self._check_complete()

    def _check_complete(self) -> None:
        missing = [f"key of camera {camera.name}" for camera in self.cameras if not camera.key]
        missing += [] if self.prompt else ["prompt"]
        missing += [] if self.action else ["action"]
        if missing:
            raise ObservationMapError(f"it lacks {', '.join(missing)}; all are needed unless complete_from is given")

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of the policy's input in order: cameras, state vectors, prompt, constants."""
        cameras, state = (camera.key for camera in self.cameras), (vector.key for vector in self.state)
        return (*cameras, *state, self.prompt, *self.constants)

    @property
    def reference(self) -> Camera:
        """The first camera."""
        return self.cameras[0]

    @property
    def joint_names(self) -> tuple[str, ...]:
        """Joints that the action moves, in its order."""
        parts = self.action.parts if self.action else ()
        return tuple(name for part in parts if part.part is PartKind.JOINTS for name in part.names)

    def camera(self, name: str) -> Camera:
        """Return a camera by name. Raises ObservationMapError that lists the valid ones."""
        for camera in self.cameras:
            if camera.name == name:
                return camera
        raise ObservationMapError(f"no camera {name!r}; valid are {', '.join(c.name for c in self.cameras)}")

    def parts(self) -> Iterator[Part]:
        """Yield the parts of the state vectors and of the action."""
        for vector in self.state:
            yield from vector.parts
        if self.action:
            yield from self.action.parts

    def for_robot(self, robot: RobotConfig) -> ObservationMap:
        """Return the map with the joints of all parts named. Raises ObservationMapError for joints it does not have."""
        try:
            state = tuple(replace(v, parts=tuple(_bind(p, robot) for p in v.parts)) for v in self.state)
            action = self.action and replace(self.action, parts=tuple(_bind(p, robot) for p in self.action.parts))
            bound = replace(self, state=state, action=action, robot=robot)
            _check_columns(bound)
        except ObservationMapError as error:
            raise ObservationMapError(f"map {self.name} for {robot.robot}: {error}") from error
        return bound


def _bind(part: Part, robot: RobotConfig) -> Part:
    if part.part is not PartKind.JOINTS:
        return part
    lacking = [name for name in part.names if name not in robot.joints]
    if lacking:
        raise ObservationMapError(
            f"joints {', '.join(lacking)} are not the robot's; valid are {', '.join(robot.joints)}"
        )
    return replace(part, names=part.names or robot.joints)


def _check_columns(bound: ObservationMap) -> None:
    for vector in bound.state:
        if vector.names and len(vector.names) != vector.width:
            raise ObservationMapError(f"state {vector.key} has {vector.width} columns and {len(vector.names)} names")


def _check_unique(what: str, names: list[str]) -> None:
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ObservationMapError(f"{what} repeat: {', '.join(repeated)}")
