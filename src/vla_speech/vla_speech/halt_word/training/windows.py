# SPDX-License-Identifier: Apache-2.0
"""Windows of LATEST embeddings with what the head should answer to each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vla_speech.errors import SoundError
from vla_speech.halt_word.spotter import LATEST, MEL_HOP, MEL_OVERLAP, STEP, WINDOW, Array
from vla_speech.halt_word.training.clips import Clip
from vla_speech.sound import SAMPLE_RATE

Labels = NDArray[np.int8]
YES, NO, UNUSED, SOMEWHERE = 1, 0, -1, -2  # SOMEWHERE: in a clip in which the time of the halt word is not known
_EARLY = 0.42  # [s] before the end of a final halt word: there it has not been said
_FROM, _TO = -0.02, 0.26  # [s] after it: there it has


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows (n, LATEST * 96), their labels (n,) and clips (n,); windows of a clip follow one another."""

    inputs: Array
    labels: Labels
    clips: NDArray[np.int64]

    def with_best(self, probabilities: Array) -> Labels:
        """Return the labels with YES for the best window of each clip of SOMEWHERE, and for the one after it."""
        labels = self.labels.copy()
        order = np.lexsort((probabilities, self.clips))
        last = np.append(self.clips[order][1:] != self.clips[order][:-1], True)
        best = order[last]
        best = best[self.labels[best] == SOMEWHERE]
        after = best[(best + 1 < len(labels))] + 1
        after = after[self.clips[after] == self.clips[after - 1]]
        labels[best] = labels[after] = YES
        return labels


def windows_of(clips: Sequence[Clip]) -> Windows:
    """Return the windows of clips. Raises SoundError where there are none, or none with the halt word."""
    found = [(number, clip, _inputs(clip.embeddings)) for number, clip in enumerate(clips)]
    found = [(number, clip, inputs) for number, clip, inputs in found if len(inputs)]
    if not any(clip.halt for _, clip, _ in found) or all(clip.halt for _, clip, _ in found):
        raise SoundError(f"{len(found)} clips of use; valid: some with the halt word and some without, 1 s and longer")
    return Windows(
        np.concatenate([inputs for _, _, inputs in found]),
        np.concatenate([_labels(clip, len(inputs)) for _, clip, inputs in found]),
        np.repeat([number for number, _, _ in found], [len(inputs) for _, _, inputs in found]),
    )


def _inputs(embeddings: Array) -> Array:
    count = max(len(embeddings) - LATEST + 1, 0)
    return np.concatenate([embeddings[back : back + count] for back in range(LATEST)], axis=1)


def _labels(clip: Clip, count: int) -> Labels:
    if not clip.halt:
        return np.full(count, NO, np.int8)
    if not clip.final:
        return np.full(count, SOMEWHERE, np.int8)
    latest = np.arange(count) + LATEST - 1  # number of the latest embedding of a window
    until = (WINDOW + STEP * latest) * MEL_HOP + MEL_OVERLAP
    after = (until - clip.end) / SAMPLE_RATE
    labels = np.full(count, UNUSED, np.int8)
    labels[after < -_EARLY] = NO
    labels[(after >= _FROM) & (after <= _TO)] = YES
    return labels
