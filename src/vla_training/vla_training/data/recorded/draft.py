# SPDX-License-Identifier: Apache-2.0
"""An observation map from a data set's own features and from what was said by name about them."""

from __future__ import annotations

from vla_core.action import ActionMode
from vla_core.observation_map.camera import Camera
from vla_core.observation_map.observation_map import (
    JOINT_MODES,
    Action,
    ActionFrame,
    ObservationMap,
    Relative,
    StateVector,
)
from vla_core.observation_map.part import ROTATION_WIDTH, GripperSense, Part, PartKind, RotationForm, Unit
from vla_core.robot import RobotConfig

from vla_training.data.lerobot.listing import Listing
from vla_training.data.lerobot.schema import ACTION, STATE
from vla_training.data.recorded.meaning import FRAMES, ROTATIONS, SENSES, UNITS, Meaning
from vla_training.run.errors import TrainingError


def draft_map(
    listing: Listing, picture: str, meaning: Meaning, robot: RobotConfig | None, size: tuple[int, int], rate: float
) -> ObservationMap | None:
    """Return the map of a set, bound to the robot; None where no mode of the action was said: plain numbers.

    Args:
        listing: the set.
        picture: the feature of the camera.
        meaning: what was said.
        robot: whose joints they are, None where it has no robot file.
        size: (height, width) [px] of the policy's pictures.
        rate: of the policy [Hz].

    Raises:
        TrainingError: what is needed was not said, or other numbers of columns.
    """
    if not meaning.action:
        return None
    if robot is None:
        raise TrainingError(f"{listing.folder} is of robot {listing.robot!r}, without a robot file; --robot names one")
    mode = ActionMode[meaning.action.upper()]
    if mode in JOINT_MODES:
        unit = Unit(meaning.needs("unit", UNITS, "joints are angles in some unit"))
        action = Action(mode, _joint_parts(listing, ACTION, robot, unit, meaning.gripper, meaning), ACTION)
    else:
        action = _tool_action(listing, mode, meaning)
    camera = Camera(picture.rsplit(".", 1)[-1], key=picture, size=size)
    state = _state(listing, mode, robot, meaning)
    drafted = ObservationMap((camera,), "drafted", state, "task", action, period_s=1.0 / rate)
    return drafted.for_robot(robot)


def _tool_action(listing: Listing, mode: ActionMode, meaning: Meaning) -> Action:
    frame = ActionFrame.BASE
    if mode is ActionMode.EE_DELTA:
        frame = ActionFrame(meaning.needs("frame", FRAMES, "deltas are along the axes of the base or of the tool"))
    parts = _tool_parts(
        listing, ACTION, (PartKind.TRANSLATION, PartKind.ROTATION), meaning.rotation, meaning.gripper, meaning
    )
    return Action(mode, parts, ACTION, Relative.PREVIOUS, frame)


def _state(listing: Listing, mode: ActionMode, robot: RobotConfig, meaning: Meaning) -> tuple[StateVector, ...]:
    if STATE not in listing.features or meaning.state == "none":
        return ()
    kind = meaning.state or ("joints" if mode in JOINT_MODES else "tool")
    gripper = meaning.state_gripper or meaning.gripper
    if kind == "joints":
        unit = Unit(meaning.needs("unit", UNITS, "joints are angles in some unit"))
        return (StateVector(STATE, _joint_parts(listing, STATE, robot, unit, gripper, meaning)),)
    kinds = (PartKind.TOOL_POSITION, PartKind.TOOL_ROTATION)
    rotation = meaning.state_rotation or meaning.rotation
    return (StateVector(STATE, _tool_parts(listing, STATE, kinds, rotation, gripper, meaning)),)


def _joint_parts(
    listing: Listing, key: str, robot: RobotConfig, unit: Unit, gripper: str, meaning: Meaning
) -> tuple[Part, ...]:
    width, joints = listing.width(key), len(robot.joints)
    parts: tuple[Part, ...] = (Part(PartKind.JOINTS, unit=unit),)
    if width == joints:
        return parts
    if width != joints + 1:
        raise _other_width(listing, key, f"{robot.robot} has {joints} joints and a gripper")
    return (*parts, _gripper(gripper, meaning))


def _tool_parts(
    listing: Listing, key: str, kinds: tuple[PartKind, PartKind], rotation: str, gripper: str, meaning: Meaning
) -> tuple[Part, ...]:
    width, parts = listing.width(key), [Part(kinds[0])]
    rest = width - 3
    if rest > 1:
        form = RotationForm(rotation or meaning.needs("rotation", ROTATIONS, f"{key} has a rotation in some form"))
        parts.append(Part(kinds[1], form=form))
        rest -= ROTATION_WIDTH[form]
    if rest == 1:
        parts.append(_gripper(gripper, meaning))
    if rest not in (0, 1):
        raise _other_width(listing, key, "a position, a rotation of that form and a gripper have others")
    return tuple(parts)


def _gripper(sense: str, meaning: Meaning) -> Part:
    why = "the gripper is open at one end of its numbers"
    return Part(PartKind.GRIPPER, sense=GripperSense(sense or meaning.needs("gripper", SENSES, why)))


def _other_width(listing: Listing, key: str, why: str) -> TrainingError:
    names = ", ".join(listing.names(key)[:20])
    return TrainingError(
        f"{listing.folder}: {key} has {listing.width(key)} columns ({names}): {why}; valid is a map (--map), "
        + ("--state none, " if key == STATE else "")
        + "or no --action: plain numbers"
    )
