# SPDX-License-Identifier: Apache-2.0
"""What the server says: about itself, about an action chunk, about an error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vla_core.action import ActionChunk
from vla_core.observation_map.observation_map import ObservationMap
from vla_core.observation_map.reading import to_dict

from vla_policy.errors import PolicyError
from vla_policy.mapping.actions import encode_actions
from vla_policy.policy import Observation
from vla_policy.remote.codecs import openpi
from vla_policy.remote.server import one_line
from vla_policy.serve.batcher import Made

VERSION = 1
MAX_TEXT = 2000  # [characters] of an error


def metadata(described: Mapping[str, Any], observation_map: ObservationMap, robot: str) -> bytes:
    """Return the first message of a connection: what is served, and the map of its input and output."""
    about = {"version": VERSION, "robot": robot, "map": to_dict(observation_map), **described}
    return openpi.pack({"vla": about})


def reply(made: Made, observation_map: ObservationMap, observation: Observation) -> bytes:
    """Return the message for a chunk: `actions` (h, d) as the map describes them, and what else the policy knows.

    For token policies `tokens`, `token_probabilities` and `legal_mass`, each (h, d) in the order of `dimension_names`;
    `plan` where there is one; `server_timing` [ms] with the size of the batch. Raises ConfigurationError or
    ActionValueError where the policy's actions are not those that the map describes.
    """
    chunk = made.chunk.checked()
    answer: dict[str, Any] = {"actions": encode_actions(observation_map, chunk, observation)}
    answer |= _known(chunk)
    answer["server_timing"] = {
        "infer_ms": 1e3 * made.computed_s,
        "wait_ms": 1e3 * made.waited_s,
        "batch": made.batch,
    }
    return openpi.pack(answer)


def _known(chunk: ActionChunk) -> dict[str, Any]:
    arrays = {name: getattr(chunk, name) for name in ("tokens", "token_probabilities", "legal_mass")}
    known: dict[str, Any] = {name: array for name, array in arrays.items() if array is not None}
    if known:
        known["dimension_names"] = list(chunk.dimension_names)
    if chunk.plan:
        known["plan"] = chunk.plan
    return known


def refusal(error: Exception) -> str:
    """Return the text for an error: its kind, what was received and what is valid."""
    kind = type(error).__name__ if isinstance(error, PolicyError | ValueError) else "InferenceError"
    return f"{kind}: {one_line(error, MAX_TEXT)}"
