# SPDX-License-Identifier: Apache-2.0
"""The chunk that a token policy's action becomes."""

import numpy as np
from numpy.typing import NDArray
from vla_core.action import ActionChunk, ActionStep

from vla_policy.action.space import ActionSpace


def token_chunk(
    space: ActionSpace,
    step: ActionStep,
    period_s: float,
    stamp: float,
    joint_names: tuple[str, ...],
    tokens: NDArray[np.integer],
    probabilities: NDArray[np.floating],
    legal_mass: NDArray[np.float32] | None = None,
    plan: str = "",
) -> ActionChunk:
    """Return a chunk of one step, made from an observation of `stamp` [s].

    joint_names: the robot's, of which a step of joints moves the first; tokens, probabilities, legal_mass: each (d,).
    """
    return ActionChunk(
        stamp,
        space.mode,
        space.delta_reference,
        period_s,
        (step,),
        joint_names=joint_names[: step.joints.size] if step.joints is not None else (),
        dimension_names=space.names,
        tokens=tokens[None].astype(np.uint16),
        token_probabilities=probabilities[None].astype(np.float32),
        legal_mass=None if legal_mass is None else legal_mass[None],
        plan=plan,
    )
