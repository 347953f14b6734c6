# SPDX-License-Identifier: Apache-2.0
"""Policies: pictures and an instruction in, action chunks out."""

from vla_core.lazy import lazy_exports

__getattr__, __all__ = lazy_exports(
    __name__,
    {
        "policy": ("Answer", "Observation", "Policy", "PolicyConfig"),
        "registry": ("available", "create"),
        "loading": ("load_policy",),
        "settings": ("Settings",),
        "action.space": ("ActionSpace", "Dimension"),
        "action.tokenizer": ("ActionTokenizer",),
        "action.presets": ("RT1_TABLETOP", "RT2_TABLETOP"),
        "errors": (
            "ActionRefusedError",
            "CheckpointError",
            "ConfigurationError",
            "InferenceError",
            "InstructionError",
            "ObservationError",
            "PolicyError",
        ),
        "run.runner": ("PolicyRunner",),
        "rt1.policy": ("RT1Policy",),
        "rt2.policy": ("RT2Policy",),
        "rt2.model.checkpoint": ("RT2Info",),
    },
)
