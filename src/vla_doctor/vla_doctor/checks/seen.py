# SPDX-License-Identifier: Apache-2.0
"""What was seen of a running graph, as the checks take it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Stream:
    """Messages of a topic while one listened: capture times and arrivals [s, of the same clock], and who publishes."""

    stamps: tuple[float, ...] = ()
    arrivals: tuple[float, ...] = ()
    publishers: tuple[str, ...] = ()  # full names of nodes


@dataclass(frozen=True, slots=True)
class Seen:
    """A graph as one listener sees it. Topics and nodes have their full names."""

    duration_s: float
    nodes: tuple[str, ...] = ()  # full names, one entry a node: two of the same name stand twice
    cameras: Mapping[str, Stream] = field(default_factory=dict)  # by topic
    joint_states: Stream = field(default_factory=Stream)
    joint_position: Mapping[str, float] = field(default_factory=dict)  # [rad] or [m] by joint, the last received
    command_topic: str = ""
    command_publishers: tuple[str, ...] = ()
    command_subscribers: tuple[str, ...] = ()
    description: str = ""  # URDF; empty: nobody publishes one
