# SPDX-License-Identifier: Apache-2.0
"""The mind on Google's Gemini."""

from vla_planner.gemini.planner import create

__all__ = ["create"]
