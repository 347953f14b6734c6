# SPDX-License-Identifier: Apache-2.0
"""Policies by name, from the entry points of every installed package.

A package offers one with `entry_points={"vla_policy.policies": ["name = module:factory"]}` where factory takes a
PolicyConfig and returns a Policy. Nothing is imported before a name is asked for. Own options: `own_options`.
"""

from dataclasses import replace
from importlib.metadata import EntryPoint, entry_points

from vla_policy.errors import ConfigurationError
from vla_policy.own_options import declared_options, typed_options
from vla_policy.policy import Policy, PolicyConfig

GROUP = "vla_policy.policies"


def available() -> dict[str, EntryPoint]:
    """Return the entry points by policy name."""
    return {point.name: point for point in entry_points(group=GROUP)}


def create(name: str, config: PolicyConfig) -> Policy:
    """Make the policy called `name`.

    Raises ConfigurationError for an unknown name or option (listing the valid ones) or a package that cannot be
    imported, and what the factory raises, CheckpointError above all.
    """
    points = available()
    if name not in points:
        raise ConfigurationError(f"policy {name!r} is unknown; valid are {', '.join(sorted(points)) or 'none'}")
    try:
        factory = points[name].load()
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(f"policy {name!r} cannot be loaded from {points[name].value}: {error}") from error
    if config.own_options:
        given = typed_options(name, declared_options(factory), config.own_options)
        config = replace(config, options={**config.options, **given})
    policy = factory(config)
    if not isinstance(policy, Policy):
        raise ConfigurationError(f"{points[name].value} made a {type(policy).__name__}; valid is a Policy")
    return policy
