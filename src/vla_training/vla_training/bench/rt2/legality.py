# SPDX-License-Identifier: Apache-2.0
"""How many answers of a model with random weights are actions: constrained, unconstrained, clipped as OpenVLA does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from vla_policy.action.presets import OPENVLA
from vla_policy.action.tokenizer import ActionTokenizer
from vla_policy.rt2.decoding.constraint import LegalBins
from vla_policy.rt2.decoding.decode import ActionDecoder

from vla_training.bench.rt2.shapes import Subject, build

MODELS = 20  # random models that the decodes are spread over: one model says much the same of every picture
ROWS = 50  # decoded at once
END = 0.99  # share of the range from its middle at which a value counts as being at an end
HISTOGRAM = 20  # bars over the range
Ids = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Spread:
    """How extreme values are: share at an end of their range, mean distance from its middle (0 to 1), histogram."""

    at_ends: float
    mean_size: float
    histogram: list[float]


def measure(decodes: int, progress: Callable[[int], object] = lambda done: None) -> dict[str, Any]:
    """Decode at least `decodes` actions in each way, greedily and by sampling. Shares are from 0 to 1."""
    answers: dict[str, dict[str, list[Ids]]] = {
        mode: {way: [] for way in ("constrained", "unconstrained")} for mode in ("greedy", "sample")
    }
    subject = build("tiny", space=OPENVLA)
    done, batches = 0, -(-decodes // ROWS)
    for batch in range(batches):
        if batch % max(1, batches // MODELS) == 0:
            subject = build("tiny", seed=batch, space=OPENVLA)
        for mode, found in answers.items():
            found["constrained"].append(_constrained(subject, mode, batch))
            found["unconstrained"].append(_unconstrained(subject, mode, batch))
        done += ROWS
        progress(done)
    known = np.array(subject.vocabulary.ids)
    uniform = _spread(ActionTokenizer(OPENVLA).decode(np.random.default_rng(0).integers(0, 256, (100_000, 7))))
    return {
        "decodes": done,
        "models": MODELS if batches >= MODELS else batches,
        "space": OPENVLA.name,
        "uniform": _as_dict(uniform),
        **{
            mode: {way: _judge(np.concatenate(ids), known) for way, ids in found.items()}
            for mode, found in answers.items()
        },
    }


def _constrained(subject: Subject, mode: str, seed: int) -> Ids:
    """Token ids (ROWS, d)."""
    decoder = ActionDecoder(subject, subject, LegalBins(OPENVLA), mode=mode, mass="none", seed=seed)
    tokens = np.stack([decoded.tokens for decoded in decoder.decode_batch(subject.inputs(seed, ROWS))])
    return subject.vocabulary.encode(tokens)


def _unconstrained(subject: Subject, mode: str, seed: int) -> Ids:
    """Token ids (ROWS, d) that `generate` finds in the whole vocabulary."""
    inputs = subject.inputs(seed, ROWS)
    torch.manual_seed(seed)
    ids = subject.model.generate(
        **inputs, max_new_tokens=len(OPENVLA.sizes), do_sample=mode == "sample", top_k=0 if mode == "sample" else None
    )
    return np.asarray(ids[:, inputs["input_ids"].shape[1] :].cpu().numpy())


def _judge(ids: Ids, known: Ids) -> dict[str, Any]:
    """What of token ids (n, d) is legal, and what clipping makes of the answers that are not."""
    legal = np.isin(ids, known)
    strays = ids[~legal.all(axis=1)]
    return {
        "legal_strings": float(legal.all(axis=1).mean()),
        "legal_tokens": float(legal.mean()),
        "values": _as_dict(_spread(_clipped(ids, known))),
        "clipped": _as_dict(_spread(_clipped(strays, known))) if len(strays) else None,
    }


def _clipped(ids: Ids, known: Ids) -> NDArray[np.float64]:
    """Values (n, d) as OpenVLA's decoder makes them: ids counted backwards from the end, clipped to the bins."""
    return ActionTokenizer(OPENVLA).decode((known[0] - ids).clip(0, OPENVLA.bins - 2))


def _spread(values: NDArray[np.float64]) -> Spread:
    low = np.array([dimension.low for dimension in OPENVLA.dimensions])
    high = np.array([dimension.high for dimension in OPENVLA.dimensions])
    size = np.abs(values - (low + high) / 2) / ((high - low) / 2)
    counts, _ = np.histogram((values - low) / (high - low), bins=HISTOGRAM, range=(0.0, 1.0))
    return Spread(float((size >= END).mean()), float(size.mean()), [float(c) / values.size for c in counts])


def _as_dict(spread: Spread) -> dict[str, Any]:
    return {"at_ends": spread.at_ends, "mean_size": spread.mean_size, "histogram": spread.histogram}
