# SPDX-License-Identifier: Apache-2.0
"""The mind on any server with OpenAI's chat completions."""

from vla_planner.openai.planner import create

__all__ = ["create"]
