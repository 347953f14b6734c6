# SPDX-License-Identifier: Apache-2.0
"""How sure a policy was of a chunk, as one number each for its status."""

import math

import numpy as np
from vla_core.action import ActionChunk


def token_confidence(chunk: ActionChunk) -> float:
    """Return the mean probability of the chunk's tokens, NaN without tokens."""
    probabilities = chunk.token_probabilities
    return float(np.mean(probabilities)) if probabilities is not None and probabilities.size else math.nan


def legal_mass(chunk: ActionChunk) -> float:
    """Return the smallest legal mass that was computed for the chunk, NaN where none was."""
    if chunk.legal_mass is None:
        return math.nan
    return float(np.fmin.reduce(chunk.legal_mass, axis=None, initial=math.nan))
