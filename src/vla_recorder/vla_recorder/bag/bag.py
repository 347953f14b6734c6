# SPDX-License-Identifier: Apache-2.0
"""What a bag holds: topics, and messages as they came over the wire."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

METADATA_FILE = "metadata.yaml"
PROFILE, SCHEMA_ENCODING, MESSAGE_ENCODING = "ros2", "ros2msg", "cdr"
CUSTOM_RECORD = "vla"  # name of the MCAP metadata record with what metadata.yaml has under custom_data


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic, its type and what a reader needs to decode and to publish it again."""

    name: str
    type: str  # package/msg/Name
    definition: str  # text of the message with those that it contains, as `ros2msg` schemas are
    type_hash: str = ""  # RIHS01_…
    qos: tuple[dict[str, object], ...] = field(
        default=(), compare=False
    )  # profiles that its publishers offer, as in metadata.yaml


class Recorded(NamedTuple):
    """A serialized message of a topic."""

    topic: Topic
    log_ns: int  # [ns] when it was received, since the epoch
    publish_ns: int  # [ns] when it was published
    data: bytes
