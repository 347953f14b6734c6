# SPDX-License-Identifier: Apache-2.0
"""metadata.yaml of a bag, in the version that ROS 2 Jazzy writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from vla_core.files import write_text

from vla_recorder.bag.bag import MESSAGE_ENCODING, METADATA_FILE, Topic
from vla_recorder.errors import RecordingError

VERSION = 9
ROOT = "rosbag2_bagfile_information"


@dataclass(slots=True)
class Totals:
    """What has been written to a bag so far."""

    start_ns: int = 0  # [ns] of the first message, by the time of its reception
    end_ns: int = 0
    messages: int = 0
    counts: dict[Topic, int] = field(default_factory=dict)  # messages of each topic

    @property
    def duration_s(self) -> float:
        """Time from the first message to the last [s]."""
        return (self.end_ns - self.start_ns) * 1e-9

    def add(self, topic: Topic, log_ns: int) -> None:
        """Count a message."""
        self.start_ns = min(self.start_ns, log_ns) if self.messages else log_ns
        self.end_ns = max(self.end_ns, log_ns)
        self.messages += 1
        self.counts[topic] = self.counts.get(topic, 0) + 1


def describe(file: str, totals: Totals, custom: Mapping[str, str], distro: str) -> dict[str, Any]:
    """Return the content of metadata.yaml for a bag of one file."""
    start, duration = {"nanoseconds_since_epoch": totals.start_ns}, {"nanoseconds": totals.end_ns - totals.start_ns}
    part = {"path": file, "starting_time": start, "duration": duration, "message_count": totals.messages}
    return {
        ROOT: {
            "version": VERSION,
            "storage_identifier": "mcap",
            "duration": dict(duration),
            "starting_time": dict(start),
            "message_count": totals.messages,
            "topics_with_message_count": [_topic(topic, count) for topic, count in totals.counts.items()],
            "compression_format": "",
            "compression_mode": "",
            "relative_file_paths": [file],
            "files": [{name: dict(v) if isinstance(v, dict) else v for name, v in part.items()}],
            "custom_data": dict(custom),
            "ros_distro": distro,
        }
    }


def _topic(topic: Topic, count: int) -> dict[str, Any]:
    about = {
        "name": topic.name,
        "type": topic.type,
        "serialization_format": MESSAGE_ENCODING,
        "offered_qos_profiles": [dict(profile) for profile in topic.qos],
        "type_description_hash": topic.type_hash,
    }
    return {"topic_metadata": about, "message_count": count}


def write_metadata(folder: Path, content: Mapping[str, Any]) -> None:
    """Write metadata.yaml, whole or not at all."""
    text = yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True, width=1000)
    write_text(folder / METADATA_FILE, text)


def read_metadata(folder: Path) -> dict[str, Any]:
    """Return what metadata.yaml has under its root. Raises RecordingError when it is missing or damaged."""
    path = folder / METADATA_FILE
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))[ROOT]
        if not content["relative_file_paths"]:
            raise KeyError("relative_file_paths")
    except FileNotFoundError as error:
        raise RecordingError(
            f"{folder} has no {METADATA_FILE}: no bag, or its recorder was killed (`vla record recover {folder}`)"
        ) from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError) as error:
        raise RecordingError(f"{path} is damaged: {error!r}") from error
    return dict(content)


def change_custom(folder: Path, changes: Mapping[str, str]) -> None:
    """Set entries of `custom_data` of a finished bag. Raises RecordingError for a damaged one."""
    content = read_metadata(folder)
    content["custom_data"] = {**(content.get("custom_data") or {}), **changes}
    write_metadata(folder, {ROOT: content})
