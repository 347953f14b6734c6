# SPDX-License-Identifier: Apache-2.0
"""How well a head does on clips: recall and false alarms at thresholds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vla_speech.halt_word.spotter import Array, probabilities
from vla_speech.halt_word.training.clips import Clip
from vla_speech.halt_word.training.windows import windows_of

THRESHOLDS = (0.3, 0.5, 0.7, 0.8, 0.85, 0.9, 0.95)
DEFAULT_THRESHOLD = 0.85  # of HearingSettings.stop_threshold


def measure(weights: Mapping[str, Array], clips: Sequence[Clip]) -> dict[str, Any]:
    """Return the figures of a head on clips: each clip counts once, by the most probable of its windows.

    Raises:
        SoundError: no clip has the halt word, or every one.
    """
    highest = _highest(weights, clips)
    halt = np.array([clip.halt for clip in clips])
    final = np.array([clip.final for clip in clips])
    rows = [
        {
            "threshold": threshold,
            "recall": _share(highest[halt] >= threshold),
            "recall_final": _share(highest[final] >= threshold),
            "recall_not_final": _share(highest[halt & ~final] >= threshold),
            "false": _share(highest[~halt] >= threshold),
        }
        for threshold in THRESHOLDS
    ]
    return {
        "clips": len(clips),
        "halt": int(halt.sum()),
        "other": int((~halt).sum()),
        "other_minutes": round(sum(clip.seconds for clip in clips if not clip.halt) / 60.0, 1),
        "separation": round(_separation(highest[halt], highest[~halt]), 4),
        "thresholds": rows,
    }


def at_default(figures: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the row of the default threshold."""
    rows: Sequence[Mapping[str, Any]] = figures["thresholds"]
    return next(row for row in rows if row["threshold"] == DEFAULT_THRESHOLD)


def _highest(weights: Mapping[str, Array], clips: Sequence[Clip]) -> Array:
    windows = windows_of(clips)
    highest = np.zeros(len(clips), np.float32)
    np.maximum.at(highest, windows.clips, probabilities(weights, windows.inputs))
    return highest


def _separation(halt: Array, other: Array) -> float:
    """Return how often a clip with the halt word is more probable than one without (area under the ROC curve)."""
    both = np.sort(other)
    below = np.searchsorted(both, halt, "left") + np.searchsorted(both, halt, "right")
    return float(below.mean() / (2.0 * len(other)))


def _share(hits: np.ndarray) -> float | None:
    return round(float(hits.mean()), 4) if len(hits) else None
