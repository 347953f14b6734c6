# SPDX-License-Identifier: Apache-2.0
"""Every parameter of recorder_node: default, unit, range and meaning, in one place. All are read once, at start."""

from __future__ import annotations

from dataclasses import dataclass

from vla_core.settings import check_settings, setting

IMAGE_FORMATS = ("jpeg", "png", "raw")


@dataclass(frozen=True, slots=True)
class RecorderSettings:
    """Parameters of recorder_node. Raises SettingsError for a value out of its range."""

    folder: str = setting("recordings", "folder of the episodes; made at the first one")
    topics: tuple[str, ...] = setting((), "patterns of topics to record, as /camera/*; empty: all of the namespace")
    exclude: tuple[str, ...] = setting(
        (), "patterns of topics to leave out, besides hidden ones, /vla/observation and the nodes' own bookkeeping"
    )
    images: str = setting("jpeg", "how sensor_msgs/Image is stored; png: without loss", choices=IMAGE_FORMATS)
    jpeg_quality: int = setting(95, "of JPEG, in percent", 1, 100)
    last_seconds: float = setting(30.0, "[s] kept in memory for save_last; 0: nothing", 0.0, 600.0)
    last_megabytes: float = setting(512.0, "[MB] of memory that save_last may take", 1.0, 65536.0)
    queue_megabytes: float = setting(256.0, "[MB] that may wait for the disk before messages are dropped", 1.0, 65536.0)
    min_free_megabytes: float = setting(500.0, "[MB] of free disk below which a recording stops", 0.0, 1e6)
    flush_period: float = setting(0.5, "[s] between flushes: what a killed recorder loses at most", 0.05, 10.0)
    observation_map: str = setting("", "map whose text goes into the bags: name or path; empty: none")
    robot: str = setting("", "name of the robot, for the bags")

    def __post_init__(self) -> None:
        """Check ranges and choices."""
        check_settings(self)
