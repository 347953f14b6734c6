# SPDX-License-Identifier: Apache-2.0
"""Decodes actions from a vision-language model: at every position only that dimension's legal bins can come out.

The prompt is computed once, every further token in one pass of its own, and of the output head only the rows of the
action tokens. The full head is used where the model's probability of saying an action at all is asked for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vla_policy.errors import ActionRefusedError, ConfigurationError
from vla_policy.policy import Observation
from vla_policy.rt2.decoding.cached_model import CachedModel
from vla_policy.rt2.decoding.constraint import LegalBins
from vla_policy.rt2.decoding.decode_settings import (
    ActionInfo,
    Decoded,
    HasModel,
    Mass,
    Mode,
    checked,
    median_bin,
    member,
)
from vla_policy.rt2.decoding.draft import Draft
from vla_policy.rt2.model.action_head import ActionHead

__all__ = ["ActionDecoder", "Decoded", "Mass", "Mode"]


@dataclass(slots=True)
class _Paths:
    """What is decoded so far of r sequences: bins, probabilities and masses, each (r, i); log probabilities (r,)."""

    bins: Tensor
    probabilities: Tensor
    masses: Tensor
    scores: Tensor

    def take(self, rows: Tensor, bins: Tensor, log_probability: Tensor, mass: Tensor) -> _Paths:
        """Continue the sequences `rows` with one bin each; all (m,)."""
        return _Paths(
            torch.cat([self.bins[rows], bins[:, None]], dim=1),
            torch.cat([self.probabilities[rows], log_probability.exp()[:, None]], dim=1),
            torch.cat([self.masses[rows], mass[rows, None]], dim=1),
            self.scores[rows] + log_probability,
        )


class ActionDecoder:
    """Turns a processor's output into the tokens of an action. Not thread-safe."""

    def __init__(
        self,
        backend: HasModel,
        info: ActionInfo,
        legal: LegalBins,
        mode: str = "greedy",
        temperature: float = 1.0,
        beams: int = 4,
        mass: str = "first",
        runner: CachedModel | None = None,
        seed: int | None = None,
        draft: bool = True,
    ) -> None:
        """runner: the model's cache, to share it with other users of the same model; draft: run the model over the
        last action's tokens as a guess, which changes no action and saves the passes of those that are right.

        Rows of the output head are copied: make a new decoder after the weights changed. Raises ConfigurationError for
        a setting that is not valid.
        """
        self._mode, self._mass = member(Mode, "decode", mode), member(Mass, "mass", mass)
        self._legal = checked(legal, info)
        self._head = ActionHead(backend.model, info.vocabulary.ids[: legal.space.bins])
        self.runner = runner or CachedModel(backend.model)
        if not (math.isfinite(temperature) and temperature > 0.0) or beams < 1:
            raise ConfigurationError(f"temperature is {temperature}, beams {beams}; valid are above 0, and 1 or more")
        if self._mode is Mode.BEAM and self.runner.static:
            raise ConfigurationError("decode=beam needs a cache that grows; valid with compile are greedy, sample")
        self._temperature, self._beams = temperature, beams
        device = backend.model.device
        self._own = torch.stack([torch.from_numpy(legal.own(i).copy()) for i in range(len(legal.sizes))]).to(device)
        self._draft = Draft(len(legal.sizes)) if draft and self._mode is not Mode.BEAM else None
        self.passes = 0  # of the model, that the last action took
        self._random = torch.Generator(device)
        if seed is None:
            self._random.seed()
        else:
            self._random.manual_seed(seed)

    def decode(self, inputs: Mapping[str, Tensor], observation: Observation | None = None) -> Decoded:
        """One action. Raises ActionRefusedError where the model's answer is not finite."""
        return self.decode_batch(inputs, None if observation is None else [observation])[0]

    @torch.inference_mode()
    def decode_batch(
        self, inputs: Mapping[str, Tensor], observations: Sequence[Observation] | None = None
    ) -> list[Decoded]:
        """One action for each row of the inputs; the observations, one a row, narrow what is legal.

        Raises ConfigurationError for another number of observations and for several rows with beams.
        """
        rows = len(inputs["input_ids"])
        if (observations is not None and len(observations) != rows) or (self._mode is Mode.BEAM and rows > 1):
            raise ConfigurationError(f"{rows} rows of inputs; valid is one for each observation, and one with beams")
        draft = self._draft if rows == 1 else None
        guess = draft.ahead(0) if draft else []
        hidden = self.runner.prefill(inputs, self._head.ids[guess].tolist())
        self.passes = 1
        ahead = list(hidden.unbind(dim=1))  # hidden states (r, h) that hold while the guess does
        nothing = hidden.new_zeros(rows, 0, dtype=torch.float32)
        paths = _Paths(nothing.long(), nothing, nothing, nothing.sum(dim=1))
        for index in range(len(self._legal.sizes)):
            if not ahead:
                guess = draft.ahead(index) if draft and self.runner.rewinds else []
                ahead = self._run(paths.bins[:, -1:], guess)
            paths = self._extend(paths, ahead.pop(0), index, observations)
            if ahead and int(paths.bins[0, -1]) != guess[-len(ahead)]:
                self.runner.rewind(len(ahead))
                ahead = []
        if draft:
            draft.learn(paths.bins[0].tolist())
        return _results(paths, self._mode)

    def _run(self, bins: Tensor, guess: Sequence[int]) -> list[Tensor]:
        """Hidden states, each (r, h), after the newest bins (r, 1) and, for one row, after each of the guessed ones."""
        self.passes += 1
        row = torch.cat([bins, bins.new_tensor([guess])], dim=1) if guess else bins
        return list(self.runner.step(self._head.ids[row]).unbind(dim=1))

    def _extend(self, paths: _Paths, hidden: Tensor, index: int, observations: Sequence[Observation] | None) -> _Paths:
        """Choose the bins at position `index` from the hidden states (r, h)."""
        forbidden = ~self._allowed(paths, index, observations)
        logits = self._head.actions(hidden).masked_fill(forbidden, -math.inf)
        mass = self._measured(hidden, index)
        if self._mode is Mode.BEAM:
            return self._best(paths, logits, mass)
        scores = self._scores(logits).masked_fill(forbidden, -math.inf)
        chosen = scores.argmax(dim=1)  # what is forbidden was masked last: not even NaN lets it through
        log_probability = logits.log_softmax(dim=1).gather(1, chosen[:, None])[:, 0]
        return paths.take(torch.arange(len(chosen), device=chosen.device), chosen, log_probability, mass)

    def _best(self, paths: _Paths, logits: Tensor, mass: Tensor) -> _Paths:
        """Continue with the most probable of all sequences' continuations."""
        log_probability = logits.log_softmax(dim=1)
        totals = (paths.scores[:, None] + log_probability).flatten()
        count = min(self._beams, int(torch.isfinite(totals).sum()))
        best = totals.topk(max(count, 1)).indices
        rows, bins = best // logits.shape[1], best % logits.shape[1]
        if rows.tolist() != list(range(len(paths.scores))):
            self.runner.branch(rows)
        return paths.take(rows, bins, log_probability[rows, bins], mass)

    def _allowed(self, paths: _Paths, index: int, observations: Sequence[Observation] | None) -> Tensor:
        """(r, bins), or (1, bins) where all rows are alike."""
        if not self._legal.narrows:
            return self._own[index][None]
        masks = [
            self._legal.legal(
                index, chosen, observations[row if len(observations) > 1 else 0] if observations else None
            )
            for row, chosen in enumerate(paths.bins.tolist())
        ]
        return torch.from_numpy(np.stack(masks)).to(self._own.device)

    def _measured(self, hidden: Tensor, index: int) -> Tensor:
        """(r,) probability of the dimension's own bins, NaN where not asked for."""
        if self._mass is Mass.NONE or (self._mass is Mass.FIRST and index):
            return hidden.new_full((len(hidden),), math.nan, dtype=torch.float32)
        return (self._head.full(hidden).softmax(dim=1)[:, self._head.ids] * self._own[index]).sum(dim=1)

    def _scores(self, logits: Tensor) -> Tensor:
        """(r, bins) whose largest is the bin to choose."""
        match self._mode:
            case Mode.SAMPLE:
                return self._shaken(logits)
            case Mode.MEDIAN:
                return torch.zeros_like(logits).scatter(1, median_bin(logits)[:, None], 1.0)
        return logits

    def _shaken(self, logits: Tensor) -> Tensor:
        """Scores whose largest is a draw by probability: Gumbel noise is minus the logarithm of exponential noise."""
        noise = torch.empty_like(logits).exponential_(generator=self._random)
        return logits / self._temperature - noise.log()


def _results(paths: _Paths, mode: Mode) -> list[Decoded]:
    best = slice(0, 1) if mode is Mode.BEAM else slice(None)
    bins, probabilities, masses = (part[best].cpu().numpy() for part in (paths.bins, paths.probabilities, paths.masses))
    if not np.isfinite(probabilities).all():
        raise ActionRefusedError("the model answered with numbers that are not finite; valid are finite logits")
    return [
        Decoded(*row)
        for row in zip(bins.astype(np.uint16), probabilities.astype(np.float32), masses.astype(np.float32), strict=True)
    ]
