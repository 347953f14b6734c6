# SPDX-License-Identifier: Apache-2.0
"""What a server of this repository tells of its tokens, put into the chunk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from vla_core.action import ActionChunk

from vla_policy.errors import ReplyError
from vla_policy.remote.codecs.arrays import short

ARRAYS: Mapping[str, type[np.generic]] = {
    "tokens": np.uint16,
    "token_probabilities": np.float32,
    "legal_mass": np.float32,
}
MAX_PLAN = 2000  # [characters]


def with_tokens(chunk: ActionChunk, extras: Mapping[str, Any]) -> ActionChunk:
    """Return the chunk with the tokens, probabilities and plan of a reply; as it is where there are none.

    Raises:
        ReplyError: an array has another shape than (steps, dimension names), or a name is no text.
    """
    plan = extras.get("plan", "")
    plan = plan[:MAX_PLAN] if isinstance(plan, str) else ""
    if extras.get("tokens") is None:
        return replace(chunk, plan=plan) if plan else chunk
    names = extras.get("dimension_names")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ReplyError(f"dimension_names is {short(names)}; valid is a list of texts")
    count = len(chunk.steps)
    arrays: dict[str, Any] = {}
    for key, kind in ARRAYS.items():
        value = extras.get(key)
        if value is None:
            continue
        shape: tuple[int, ...] = value.shape if isinstance(value, np.ndarray) else ()
        if len(shape) != 2 or shape[0] < count or shape[1] != len(names):
            raise ReplyError(f"{key} is {short(value)}; valid is ({count}, {len(names)}): steps, dimensions")
        arrays[key] = value[:count].astype(kind)
    return replace(chunk, plan=plan, dimension_names=tuple(names), **arrays)
