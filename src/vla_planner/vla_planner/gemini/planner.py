# SPDX-License-Identifier: Apache-2.0
"""The mind on Google's Gemini: `planner:=gemini`."""

from __future__ import annotations

from vla_core.hosted.gemini import GeminiModel, GeminiOptions

from vla_planner.hosted.mind import HostedPlanner, make
from vla_planner.planner import PlannerConfig


def create(config: PlannerConfig) -> HostedPlanner:
    """Return the mind of `planner:=gemini`. Raises ConfigurationError, PlannerUnavailableError."""
    return make("gemini", config, GeminiOptions, GeminiModel)
