# SPDX-License-Identifier: Apache-2.0
"""The mind on any server with OpenAI's chat completions: `planner:=openai`."""

from __future__ import annotations

from vla_core.hosted.chat import ChatModel, ChatOptions

from vla_planner.hosted.mind import HostedPlanner, make
from vla_planner.planner import PlannerConfig


def create(config: PlannerConfig) -> HostedPlanner:
    """Return the mind of `planner:=openai`. Raises ConfigurationError, PlannerUnavailableError."""
    return make("openai", config, ChatOptions, ChatModel)
