# SPDX-License-Identifier: Apache-2.0
"""Minds by name, from the entry points of every installed package. Nothing is imported before a name is asked for."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

from vla_planner.errors import ConfigurationError
from vla_planner.planner import Planner, PlannerConfig

GROUP = "vla_planner.planners"


def available() -> dict[str, EntryPoint]:
    """Return the entry points by the mind's name."""
    return {point.name: point for point in entry_points(group=GROUP)}


def create(name: str, config: PlannerConfig) -> Planner:
    """Make the mind called `name`.

    Raises:
        ConfigurationError: an unknown name (the text lists the valid ones), or a package that cannot be imported.
        PlannerUnavailableError: the mind's server, key or model is not there.
    """
    points = available()
    if name not in points:
        raise ConfigurationError(f"planner {name!r} is unknown; valid are {', '.join(sorted(points)) or 'none'}")
    try:
        factory = points[name].load()
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(f"planner {name!r} cannot be loaded from {points[name].value}: {error}") from error
    planner = factory(config)
    if not isinstance(planner, Planner):
        raise ConfigurationError(f"{points[name].value} made a {type(planner).__name__}; valid is a Planner")
    return planner
