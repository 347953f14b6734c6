# SPDX-License-Identifier: Apache-2.0
"""Which features of a data set are the policy's camera, state and action, and what their columns are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from vla_core.observation_map.camera import Camera
from vla_core.observation_map.completion import complete_from
from vla_core.observation_map.errors import ObservationMapError
from vla_core.observation_map.observation_map import ObservationMap
from vla_core.observation_map.presets import load_map
from vla_core.robot import RobotConfig, RobotConfigError, load_robot_config

from vla_training.data.lerobot.listing import Listing
from vla_training.data.lerobot.schema import ACTION, MAP_PATH, STATE, DatasetError
from vla_training.data.recorded.draft import draft_map
from vla_training.data.recorded.meaning import Meaning
from vla_training.run.errors import TrainingError

Size = tuple[int, int]
DEFAULT_RATE = 5.0  # [Hz] of the policy, where a set without a map is faster


@dataclass(frozen=True, slots=True)
class Choices:
    """What was asked for. map: name or file, empty: each set's own; robot: whose robot file; camera: a feature's or a
    map's name, empty: the first; rate: of the policy [Hz], 0: as the map says.
    """

    map: str = ""
    robot: str = ""
    camera: str = ""
    rate: float = 0.0
    meaning: Meaning = field(default_factory=Meaning)


@dataclass(frozen=True, slots=True)
class Binding:
    """A set's features by their use. camera: how pictures are fitted; observation_map: None for plain numbers."""

    listing: Listing
    picture: str
    state: tuple[str, ...]
    action: str
    camera: Camera
    robot: str
    rate: float  # [Hz] of the policy
    observation_map: ObservationMap | None = None

    @property
    def state_width(self) -> int:
        """Columns of the state."""
        return sum(self.listing.width(key) for key in self.state)

    @property
    def action_width(self) -> int:
        """Columns of the action."""
        return self.listing.width(self.action)

    @property
    def state_names(self) -> tuple[str, ...]:
        """A name for each column of the state."""
        return tuple(name for key in self.state for name in self.listing.names(key))


def bind(listing: Listing, choices: Choices, size: Size | None, network: Size) -> Binding:
    """Find the camera, the state and the action of a set.

    Args:
        listing: the set.
        choices: what was asked for.
        size: (height, width) [px] of the pictures of this run, None where this set decides.
        network: what the network sees, where nothing else decides.

    Raises:
        TrainingError: a feature is missing, has another number of columns, or is not said what it is.
    """
    if ACTION not in listing.features:
        raise DatasetError(f"{listing.folder} has no feature {ACTION}; it has {', '.join(listing.features)}")
    own = listing.folder / MAP_PATH
    fitted = not choices.map and own.is_file()  # its pictures are those that the map makes
    given = choices.map or (str(own) if fitted else "")
    try:
        robot = _robot(listing, choices)
        if given:
            return _by_map(listing, choices, _loaded(given, listing, robot), size, network, fitted)
        return _by_features(listing, choices, robot, size or network)
    except ObservationMapError as error:
        raise TrainingError(f"{listing.folder}: {error}") from error


def _robot(listing: Listing, choices: Choices) -> RobotConfig | None:
    """The robot's file; None where nobody asked for one and the set's robot has none."""
    try:
        return load_robot_config(choices.robot or listing.robot)
    except (RobotConfigError, FileNotFoundError) as error:
        if choices.robot:
            raise TrainingError(str(error)) from error
        return None


def _loaded(name: str, listing: Listing, robot: RobotConfig | None) -> ObservationMap:
    found = load_map(name)
    if robot is None:
        raise TrainingError(
            f"{listing.folder} is of robot {listing.robot!r}, which has no file in config/robots; --robot names one"
        )
    return complete_from(found.for_robot(robot), listing.features)


def _by_map(
    listing: Listing, choices: Choices, whole: ObservationMap, size: Size | None, network: Size, fitted: bool
) -> Binding:
    picture, camera = _camera(listing, choices, whole)
    height, width = (int(n) for n in _height_width(listing, picture))
    of_map = (height, width) if fitted and camera.size else camera.height_width
    size = size or of_map or network
    rate = choices.rate or min(1.0 / whole.period_s, listing.fps)
    _check_rate(listing, rate)
    action = whole.action.key if whole.action and whole.action.key in listing.features else ACTION
    wanted = whole.action.width if whole.action else 0
    if listing.width(action) != wanted:
        raise _width(listing, whole, action, (action,), wanted)
    state = _state_features(listing, whole)
    used = replace(
        whole,
        cameras=(replace(camera, size=size),),
        period_s=1.0 / rate,
        horizon=0,
        execute=0,
        history=(0,),
    )
    fit = replace(camera, size=size, rotate=0 if fitted else camera.rotate)
    robot = whole.robot.robot if whole.robot else listing.robot
    return Binding(listing, picture, state, action, fit, robot, rate, used)


def _camera(listing: Listing, choices: Choices, whole: ObservationMap) -> tuple[str, Camera]:
    """The feature of the map's camera, by its name or key; of the only camera the only feature."""
    camera = whole.camera(choices.camera) if choices.camera and choices.camera not in listing.features else None
    camera = camera or whole.reference
    if choices.camera in listing.features:
        return choices.camera, camera
    names = (f"observation.images.{camera.name}", camera.key, f"observation.images.{camera.key}", camera.name)
    for name in names:
        if name in listing.pictures:
            return name, camera
    if len(whole.cameras) == 1 and len(listing.pictures) == 1:
        return listing.pictures[0], camera
    raise DatasetError(
        f"{listing.folder} has pictures {', '.join(listing.pictures) or 'none'}; none is camera {camera.name} of map "
        f"{whole.name}; valid is --camera with one of them"
    )


def _state_features(listing: Listing, whole: ObservationMap) -> tuple[str, ...]:
    if not whole.state:
        return ()
    keys = tuple(vector.key for vector in whole.state)
    wanted = sum(vector.width for vector in whole.state)
    if not all(key in listing.features for key in keys):
        keys = (STATE,)
    if not all(key in listing.features for key in keys):
        raise DatasetError(f"{listing.folder} has no feature {STATE}; valid is a map without state")
    if sum(listing.width(key) for key in keys) != wanted:
        raise _width(listing, whole, "state", keys, wanted)
    return keys


def _width(listing: Listing, whole: ObservationMap, what: str, keys: Sequence[str], wanted: int) -> TrainingError:
    names = [name for key in keys for name in listing.names(key)]
    return TrainingError(
        f"{listing.folder}: {what} has {len(names)} columns ({', '.join(names[:20])}), map {whole.name} has {wanted}"
    )


def _by_features(listing: Listing, choices: Choices, robot: RobotConfig | None, size: Size) -> Binding:
    if not listing.pictures:
        raise DatasetError(f"{listing.folder} has no pictures; it has {', '.join(listing.features)}")
    names = {name: key for key in listing.pictures for name in (key, key.rsplit(".", 1)[-1])}
    if choices.camera and choices.camera not in names:
        raise DatasetError(f"{listing.folder} has no camera {choices.camera}; valid are {', '.join(listing.pictures)}")
    picture = names[choices.camera] if choices.camera else listing.pictures[0]
    rate = choices.rate or min(DEFAULT_RATE, listing.fps)
    _check_rate(listing, rate)
    drafted = draft_map(listing, picture, choices.meaning, robot, size, rate)
    camera = drafted.reference if drafted else Camera(picture.rsplit(".", 1)[-1], key=picture, size=size)
    has_state = STATE in listing.features and choices.meaning.state != "none"
    name = robot.robot if drafted is not None and robot is not None else choices.robot or listing.robot
    return Binding(listing, picture, (STATE,) if has_state else (), ACTION, camera, name, rate, drafted)


def _check_rate(listing: Listing, rate: float) -> None:
    if not 0.0 < rate <= listing.fps * 1.001:
        raise TrainingError(
            f"{listing.folder} has {listing.fps:g} frames a second, the policy {rate:g} Hz; valid is "
            f"--policy-rate up to {listing.fps:g}"
        )


def _height_width(listing: Listing, picture: str) -> tuple[int, int]:
    """The size that info.json tells; its shape is (height, width, 3), in older sets (3, height, width)."""
    shape = [int(n) for n in listing.features[picture]["shape"]]
    if len(shape) != 3 or 3 not in (shape[0], shape[2]):
        raise DatasetError(f"{listing.folder}: {picture} has shape {shape}; valid is [height, width, 3]")
    return (shape[0], shape[1]) if shape[2] == 3 else (shape[1], shape[2])
