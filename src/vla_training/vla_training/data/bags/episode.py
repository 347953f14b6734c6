# SPDX-License-Identifier: Apache-2.0
"""One bag to the columns of an episode: observations and actions at the policy's rate, by an observation map."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from vla_core.action import ActionChunk, ActionMode, ActionStep, ActionValueError, DeltaReference
from vla_core.observation_map.observation_map import JOINT_MODES, ObservationMap
from vla_core.robot import RobotConfig
from vla_core.rotation import Pose
from vla_perception.errors import ImageError
from vla_perception.image.decoding import RawImage, decode_compressed, decode_raw
from vla_perception.image.fitting import fit_image
from vla_policy.errors import ObservationError
from vla_policy.mapping.actions import action_of, encode_actions
from vla_policy.mapping.inputs import encode_observation
from vla_policy.policy import Observation
from vla_recorder.bag.reader import Bag

from vla_training.data.bags import resample
from vla_training.data.bags.resample import FloatArray, S, Times
from vla_training.data.bags.series import Recording, Series, pose_numbers, read
from vla_training.data.lerobot.schema import ACTION, DONE, STATE, SUCCESS, DatasetError

INTERVENTION = "intervention"
NEUTRAL_POSE = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0])


def image_key(camera: str) -> str:
    """The feature of a camera of the map."""
    return f"observation.images.{camera}"


@dataclass(slots=True)
class Episode:
    """Columns (T, ...) of one episode, and what was found on the way."""

    text: str
    columns: dict[str, NDArray[Any]]
    success: bool | None  # None: nobody has said
    duration_s: float
    gaps: dict[str, list[tuple[float, float]]] = field(default_factory=dict)  # (time, length) [s] by topic
    late: dict[str, int] = field(default_factory=dict)  # messages that came late, by topic
    repeated: dict[str, int] = field(default_factory=dict)  # frames that show an image again, by topic

    def __len__(self) -> int:
        return len(self.columns[ACTION])


def convert(bag: Bag, observation_map: ObservationMap, robot: RobotConfig, fps: int, max_gap_s: float) -> Episode:
    """Return the episode of a bag. The map is bound to the robot.

    Raises:
        DatasetError: a topic is missing, a clock jumps, something is silent for longer than `max_gap_s` [s], fewer
            than two frames are left, the task is unknown, or a number is not finite; with the frame.
        RecordingError: the bag is damaged.
    """
    recording = read(bag, observation_map)
    text = bag.custom.get("task", "") or recording.instruction
    if not text:
        raise DatasetError("its task is unknown; valid: a task text of the recorder, or an instruction in the bag")
    report: dict[str, dict[str, Any]] = {"gaps": {}, "late": {}, "repeated": {}}
    for series in _all(recording):
        found = resample.gaps(series.in_order()[0], max(2.0 / fps, 0.1))
        too_long = [f"{length:.2f} s at {at:.2f} s" for at, length in found if length > max_gap_s]
        if too_long:
            raise DatasetError(f"{series.topic} is silent for {', '.join(too_long)}; valid: at most {max_gap_s:g} s")
        topic = series.topic.split(",")[0]  # of all joints together
        report["gaps"] |= {topic: found} if found else {}
        report["late"] |= {topic: series.late} if series.late else {}
    times = _times(recording, fps)
    images, repeated = _images(recording, observation_map, times)
    report["repeated"] = repeated
    columns: dict[str, NDArray[Any]] = {image_key(name): stack for name, stack in images.items()}
    columns |= _numbers(recording, observation_map, robot, times, images, fps)
    said = bag.custom.get("success", "")
    last = np.arange(len(times)) == len(times) - 1
    columns |= {DONE: last, SUCCESS: last & (said == "true")}
    success = {"true": True, "false": False}.get(said)
    return Episode(text, columns, success, float(times[-1] - times[0]) / S, **report)


def _all(recording: Recording) -> list[Series]:
    poses = [recording.poses] if recording.poses else []
    return [*recording.cameras.values(), *recording.joints.values(), *poses, recording.status]


def _times(recording: Recording, fps: int) -> Times:
    """The grid over which everything is known; an action reaches one step beyond its frame."""
    stamps = [series.in_order()[0] for series in _all(recording)]
    last = min(*(item[-1] for item in stamps), recording.status.in_order()[0][-1] - round(S / fps))
    times = resample.grid(int(max(item[0] for item in stamps)), int(last), fps)
    if len(times) < 2:
        raise DatasetError(f"{len(times)} frames at {fps} Hz in which everything is known; valid: at least 2")
    return times


def _images(
    recording: Recording, observation_map: ObservationMap, times: Times
) -> tuple[dict[str, NDArray[np.uint8]], dict[str, int]]:
    images: dict[str, NDArray[np.uint8]] = {}
    repeated: dict[str, int] = {}
    for camera in observation_map.cameras:
        series = recording.cameras[camera.name]
        stamps, messages = series.in_order()
        chosen = resample.nearest(stamps, times)
        fitted: dict[int, NDArray[np.uint8]] = {}
        for frame, index in enumerate(chosen.tolist()):
            try:
                fitted[index] = fitted[index] if index in fitted else fit_image(_decoded(messages[index]), camera)
            except ImageError as error:
                raise DatasetError(f"camera {camera.name}, frame {frame}: {error}") from error
        images[camera.name] = np.stack([fitted[index] for index in chosen.tolist()])
        again = len(chosen) - len(fitted)
        repeated |= {series.topic: again} if again else {}
    return images, repeated


def _decoded(message: Any) -> NDArray[np.uint8]:
    data = np.frombuffer(bytes(message.data), np.uint8)
    if hasattr(message, "format"):
        return decode_compressed(data, message.format)
    shape = (message.height, message.width, message.step, bool(message.is_bigendian))
    return decode_raw(RawImage(message.encoding, *shape, data))


def _numbers(
    recording: Recording,
    observation_map: ObservationMap,
    robot: RobotConfig,
    times: Times,
    images: dict[str, NDArray[np.uint8]],
    fps: int,
) -> dict[str, NDArray[Any]]:
    """State, action and intervention of each frame."""
    names = tuple(recording.joints)
    joints = np.column_stack([_at(recording.joints[name], times) for name in names])
    poses = _poses(recording, times)
    fingers = [name for name in (robot.gripper.joint, robot.gripper.mimic_joint) if name in names]
    travel = joints[:, [names.index(name) for name in fingers]].sum(axis=1) * (2.0 / max(len(fingers), 1))
    widths = travel if fingers else np.full(len(times), np.nan)
    stamps, statuses = recording.status.in_order()
    ahead = resample.latest(stamps, times + round(S / fps))
    states, actions = [], []
    for frame, target in enumerate(ahead.tolist()):
        try:
            shown = {name: stack[frame] for name, stack in images.items()}
            pose = poses[frame]
            observation = Observation(times[frame] / S, shown, names, joints[frame], pose[:3], pose[3:], widths[frame])
            inputs = encode_observation(observation_map, observation, "")
            states.append(np.concatenate([np.asarray(inputs[vector.key]) for vector in observation_map.state]))
            chunk = _chunk(observation_map, statuses[target], statuses[ahead[max(frame - 1, 0)]], fps)
            actions.append(encode_actions(observation_map, chunk, observation)[0])
        except (ObservationError, ActionValueError) as error:
            raise DatasetError(f"frame {frame}: {error}") from error
    known = resample.latest(stamps, times)
    taken = np.array([bool(getattr(statuses[i], INTERVENTION, False)) for i in known.tolist()])
    result = {STATE: np.stack(states).astype(np.float32), ACTION: np.stack(actions), INTERVENTION: taken}
    for name in (STATE, ACTION):
        bad = np.flatnonzero(~np.isfinite(result[name]).all(axis=1))
        if len(bad):
            raise DatasetError(f"frame {bad[0]}: {name} is {result[name][bad[0]]}; valid are finite numbers")
    return result


def _at(series: Series, times: Times) -> FloatArray:
    stamps, values = series.in_order()
    return resample.linear(stamps, np.array(values, dtype=np.float64)[:, None], times)[:, 0]


def _poses(recording: Recording, times: Times) -> FloatArray:
    """Measured tool poses (T, 7); where nobody publishes them, those that the controller had as its setpoint."""
    if recording.poses is not None:
        stamps, values = recording.poses.in_order()
        return resample.poses(stamps, np.stack(values), times)
    stamps, statuses = recording.status.in_order()
    return resample.poses(stamps, np.stack([pose_numbers(status.ee_setpoint) for status in statuses]), times)


def _chunk(observation_map: ObservationMap, status: Any, before: Any, fps: int) -> ActionChunk:
    """What was commanded until one step after a frame, in the mode of the map's action."""
    mode = action_of(observation_map).mode
    joints = np.array(status.setpoint, dtype=np.float64)
    if mode is ActionMode.JOINT_VELOCITY:
        joints = (joints - np.array(before.setpoint)) * fps
    numbers = pose_numbers(status.ee_setpoint)
    step = ActionStep(
        pose=Pose(numbers[:3], numbers[3:]),
        joints=joints if mode in JOINT_MODES else None,
        gripper=float(status.gripper),
    )
    kind = ActionMode.EE_POSE
    if mode in JOINT_MODES:
        kind = ActionMode.JOINT_VELOCITY if mode is ActionMode.JOINT_VELOCITY else ActionMode.JOINT_POSITION
    names = tuple(status.joint_names) if mode in JOINT_MODES else ()
    return ActionChunk(0.0, kind, DeltaReference.OBSERVED, 1.0 / fps, (step,), joint_names=names)
