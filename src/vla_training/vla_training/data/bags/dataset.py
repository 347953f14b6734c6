# SPDX-License-Identifier: Apache-2.0
"""Converted episodes to a LeRobotDataset v3.0 folder, with the map beside them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from vla_core.files import write_text
from vla_core.observation_map.observation_map import ObservationMap
from vla_core.observation_map.part import Part, PartKind
from vla_policy.mapping.actions import action_of

from vla_training.data.bags.episode import INTERVENTION, Episode, image_key
from vla_training.data.lerobot.folder import FolderWriter
from vla_training.data.lerobot.schema import (
    ACTION,
    DONE,
    INFO_PATH,
    MAP_PATH,
    STATE,
    SUCCESS,
    VERSION,
    DatasetError,
    Feature,
    bookkeeping,
    picture,
    scalar,
    vector,
)


class RecordedWriter(FolderWriter):
    """Appends converted episodes; use it as a context manager."""

    def __init__(self, folder: Path, robot: str, fps: int, observation_map: ObservationMap, video: bool) -> None:
        """`video`: cameras as H.264 instead of PNG. Raises DatasetError for a folder with other features."""
        self._map, self._video = observation_map, video
        self._sizes = {camera.name: camera.height_width for camera in observation_map.cameras if camera.height_width}
        super().__init__(folder, robot, fps)

    def describe(self) -> dict[str, Feature]:
        """The features of info.json: cameras by their names in the map, columns of state and action by their parts."""
        action = action_of(self._map)
        state = tuple(name for item in self._map.state for name in item.names or column_names(item.parts))
        fps = self.fps if self._video else 0
        return {
            **{image_key(camera): picture(size, fps) for camera, size in self._sizes.items()},
            STATE: vector(state),
            ACTION: vector(column_names(action.parts)),
            DONE: scalar("bool"),
            SUCCESS: scalar("bool"),
            INTERVENTION: scalar("bool"),
            **bookkeeping(),
        }

    def read_existing(self) -> None:
        """Refuse a folder whose episodes have other features, another rate or another robot."""
        path = self.folder / INFO_PATH
        try:
            info = json.loads(path.read_text(encoding="utf-8"))
            found = {key: info[key] for key in ("codebase_version", "robot_type", "fps", "features")}
        except (OSError, ValueError, KeyError) as error:
            raise DatasetError(f"{path} is damaged: {error!r}") from error
        self._sizes = self._sizes or {}
        wanted = {
            "codebase_version": VERSION,
            "robot_type": self.robot_name,
            "fps": self.fps,
            "features": self.describe(),
        }
        for key, value in json.loads(json.dumps(wanted)).items():
            if found[key] != value:
                raise DatasetError(
                    f"{self.folder} has {key} {str(found[key])[:200]}; these episodes have {str(value)[:200]}"
                )

    @property
    def sources(self) -> set[str]:
        """Bags that the folder holds."""
        return {str(row.get("source", "")) for row in self.rows()}

    def add(self, episode: Episode, source: str, map_text: str) -> None:
        """Append the episode of the bag `source`. Raises DatasetError for another size of image."""
        for camera in self._map.cameras:
            size = tuple(episode.columns[image_key(camera.name)].shape[1:3])
            if self._sizes.setdefault(camera.name, size) != size:
                raise DatasetError(f"camera {camera.name} has {size}; valid: {self._sizes[camera.name]} as the others")
            if self._video and (size[0] % 2 or size[1] % 2):
                raise DatasetError(
                    f"camera {camera.name} has {size}; valid for video: even numbers (or without --video)"
                )
        path = self.folder / MAP_PATH
        if not path.exists():
            write_text(path, map_text)
        extra = {"source": source, "success": episode.success is True, "labelled": episode.success is not None}
        self.append(episode.text, episode.columns, extra)


def column_names(parts: Iterable[Part]) -> tuple[str, ...]:
    """Return a name for each column of a vector; repeated ones are numbered."""
    names: list[str] = []
    for part in parts:
        names += part.names if part.part in (PartKind.JOINTS, PartKind.BASE) and part.names else _numbered(part)
    return tuple(name if names.index(name) == i else f"{name}_{i}" for i, name in enumerate(names))


def _numbered(part: Part) -> list[str]:
    kind = part.part.value
    axes = {PartKind.TOOL_POSITION: "xyz", PartKind.TRANSLATION: "xyz"}.get(part.part)
    if axes:
        return [f"{kind}.{axis}" for axis in axes]
    return [kind] if part.width == 1 else [f"{kind}.{i}" for i in range(part.width)]
