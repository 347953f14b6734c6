# SPDX-License-Identifier: Apache-2.0
"""The policy that the node's parameters ask for."""

import math
from typing import Any

from vla_core.robot import load_robot_config

from vla_policy.action.motion_limits import MotionLimits
from vla_policy.errors import ConfigurationError
from vla_policy.own_options import parse_options
from vla_policy.policy import Policy, PolicyConfig
from vla_policy.registry import create
from vla_policy.replay.policy import RecordingPolicy
from vla_policy.settings import Settings

OPTIONS = ("decode", "temperature", "beams", "dtype", "quantization", "plan", "min_legal_mass", "compile")
REMOTE_OPTIONS = ("server", "token_file")
NO_LOW = (-math.inf, -math.inf, -math.inf)
NO_HIGH = (math.inf, math.inf, math.inf)


def policy_settings(policy: str, robot: str, **values: Any) -> Settings:
    """Return the policy node's settings as the launched graph sets them: with the robot's workspace and speeds.

    values: further fields of Settings. Raises RobotConfigError for an unknown robot.
    """
    config = load_robot_config(robot)
    return Settings(
        policy=policy,
        robot=robot,
        workspace_low=tuple(config.workspace_lower.tolist()),
        workspace_high=tuple(config.workspace_upper.tolist()),
        linear_speed=config.tool_speed.linear,
        angular_speed=config.tool_speed.angular,
        **values,
    )


def load_policy(settings: Settings) -> Policy:
    """Make the policy of these settings. Raises PolicyError."""
    policy = create(settings.policy, policy_config(settings))
    if not settings.record:
        return policy
    try:
        return RecordingPolicy(policy, settings.record)
    except OSError as error:
        raise ConfigurationError(f"record: {settings.record} cannot be written: {error}") from error


def policy_config(settings: Settings) -> PolicyConfig:
    """Return what the policy's factory is given. Raises ConfigurationError for limits that leave no room."""
    return PolicyConfig(
        checkpoint=settings.checkpoint,
        device=settings.device,
        robot=settings.robot,
        period_s=settings.step_period,
        threads=settings.threads,
        options={name: getattr(settings, name) for name in OPTIONS},
        limits=motion_limits(settings),
        own_options=own_options(settings),
    )


def own_options(settings: Settings) -> dict[str, str]:
    """Return the options of the policy alone. Raises ConfigurationError."""
    given = {name: getattr(settings, name) for name in REMOTE_OPTIONS}
    return {**{name: text for name, text in given.items() if text}, **parse_options(settings.policy_options)}


def motion_limits(settings: Settings) -> MotionLimits | None:
    """Return the limits to narrow to, infinity for those that are not set; None for no narrowing."""
    low, high = settings.workspace_low, settings.workspace_high
    if not settings.narrow or not (low or high or settings.linear_speed or settings.angular_speed):
        return None
    return MotionLimits(
        workspace_low=(low[0], low[1], low[2]) if low else NO_LOW,
        workspace_high=(high[0], high[1], high[2]) if high else NO_HIGH,
        linear_speed=settings.linear_speed or math.inf,
        angular_speed=settings.angular_speed or math.inf,
    )
