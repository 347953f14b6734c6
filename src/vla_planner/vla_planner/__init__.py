# SPDX-License-Identifier: Apache-2.0
"""Goals of several steps: minds that plan and judge, and the executive that has the policy do one step at a time."""

from vla_core.lazy import lazy_exports

__getattr__, __all__ = lazy_exports(
    __name__,
    {
        "planner": (
            "Attempt",
            "Decision",
            "Planner",
            "PlannerConfig",
            "Situation",
            "Usage",
            "Utterance",
            "Verdict",
            "judge_done",
            "judge_possible",
        ),
        "registry": ("available", "create"),
        "scene": ("Scene", "SceneRules", "SeenObject"),
        "vocabulary": ("TABLETOP", "Step", "Vocabulary"),
        "errors": (
            "ConfigurationError",
            "GoalError",
            "PlannerError",
            "PlannerUnavailableError",
            "ReplyError",
            "StepError",
        ),
    },
)
