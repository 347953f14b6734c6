# SPDX-License-Identifier: Apache-2.0
"""Demonstrations, training, closed-loop evaluation, benchmarks; free of ROS."""

from vla_core.lazy import lazy_exports

__getattr__, __all__ = lazy_exports(
    __name__,
    {
        "evaluate.lockstep": ("Lockstep", "LockstepSettings"),
        "evaluate.command": ("EvalSettings", "Evaluator"),
        "evaluate.policy_driver": ("PolicyDriver",),
        "data.lerobot.reader": ("open_dataset",),
        "data.lerobot.writer": ("DatasetWriter",),
        "rt1.trainer": ("Trainer",),
        "rt2.trainer": ("RT2Trainer",),
        "run.loop": ("TrainingLoop",),
        "run.errors": ("TrainingError",),
    },
)
