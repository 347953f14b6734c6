# SPDX-License-Identifier: Apache-2.0
"""Names that `planner:=` accepts: none, those of this repository and those of every installed package."""

from importlib.metadata import entry_points

GROUP = "vla_planner.planners"
NONE = "none"
BUILT_IN = ("symbols", "gemini", "openai")


def planner_names() -> tuple[str, ...]:
    """Return none, the built-in names, then those of further entry points in order; imports no planner."""
    return (NONE, *BUILT_IN, *sorted({point.name for point in entry_points(group=GROUP)} - set(BUILT_IN)))
