# SPDX-License-Identifier: Apache-2.0
"""Recorded frames as samples: one picture, the task as it was worded, the state, and the action that was taken."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from vla_policy.rt2.prompt import PromptTemplate
from vla_policy.rt2.vocabulary import ActionVocabulary

from vla_training.data.recorded.table import RecordedTable
from vla_training.rt1.recorded import NOISE, RowDraw, held_out_figures
from vla_training.rt1.training_data import Features
from vla_training.rt2.samples.samples import POINTS, Group, Sample
from vla_training.run.loop import Figures

if TYPE_CHECKING:
    from vla_training.rt2.trainer import RT2Trainer

_BATCH = 32


class RecordedSource:
    """Draws frames as often as their share says."""

    def __init__(
        self,
        table: RecordedTable,
        rows: NDArray[np.int64],
        pictures: Features,
        prompt: PromptTemplate,
        vocabulary: ActionVocabulary,
        encode: Callable[[str], tuple[int, ...]],
    ) -> None:
        """`rows`: frames to draw from; `pictures`: (N, H, W, 3) of all frames; `encode`: a text as an answer."""
        self._table, self._pictures, self._prompt = table, pictures, prompt
        self._vocabulary, self._end = vocabulary, encode("")
        self._draw = RowDraw(table, rows)
        self._spread = table.state[rows].std(axis=0) * NOISE

    def draw(self, count: int, rng: np.random.Generator) -> Group:
        """A frame with the one action that was recorded."""
        row = int(self._draw(1, rng)[0])
        return self.group(row, self._table.state[row] + rng.normal(size=len(self._spread)) * self._spread)

    def group(self, row: int, state: NDArray[np.floating] | None = None) -> Group:
        """One frame; state (p,): the frame's own by default."""
        table = self._table
        state = table.state[row] if state is None else state
        bins = table.tokens[row]
        prompt = self._prompt.action_prompt(table.texts[table.text[row]], state if len(state) else None)
        ids = (int(i) for i in self._vocabulary.encode(bins))
        sample = Sample(prompt, (*ids, *self._end), bins, np.full((POINTS, 3), np.nan))
        return Group(np.asarray(self._pictures[np.array([row])][0], dtype=np.uint8), (sample,))


class RecordedHeldOut:
    """Always the same frames of held-out episodes, so that figures can be compared from one validation to the next."""

    def __init__(self, table: RecordedTable, rows: NDArray[np.int64], source: RecordedSource, count: int = 256) -> None:
        self._table, self._source = table, source
        self._rows = np.random.default_rng(5).permutation(rows)[:count]

    def __call__(self, trainer: RT2Trainer) -> Figures:
        """Return the figures of `held_out_figures`, each token given the true ones before it."""
        bins = []
        for start in range(0, len(self._rows), _BATCH):
            groups = [self._source.group(int(row)) for row in self._rows[start : start + _BATCH]]
            answers = trainer.predict(groups)
            bins += [trainer.info.vocabulary.decode(answer[: self._table.tokens.shape[1]]) for answer in answers]
        return held_out_figures(self._table, self._rows, np.array(bins))
