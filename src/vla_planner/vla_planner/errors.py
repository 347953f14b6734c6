# SPDX-License-Identifier: Apache-2.0
"""Typed errors of the planner; each message says what was received and what is valid."""


class PlannerError(Exception):
    """Base of every error that a planner raises on purpose."""


class StepError(PlannerError):
    """A step is outside the vocabulary or names an absent object."""


class GoalError(PlannerError):
    """The goal's text is invalid, contradicts itself, or names what does not exist: the goal is rejected."""


class ReplyError(PlannerError):
    """A model's reply does not match the schema; the planner is asked again with this text."""


class PlannerUnavailableError(PlannerError):
    """The planner's server cannot be reached, refused the key, or has no such model: the goal fails with this text."""


class ConfigurationError(PlannerError):
    """A planner's name or option is not valid."""
