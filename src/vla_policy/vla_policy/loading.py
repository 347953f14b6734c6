# SPDX-License-Identifier: Apache-2.0
"""The policy that the node's parameters ask for."""

import math
from typing import Any

from vla_core.observation_map.errors import ObservationMapError
from vla_core.observation_map.observation_map import ObservationMap
from vla_core.observation_map.presets import load_map, map_of_checkpoint
from vla_core.robot import RobotConfigError, load_robot_config

from vla_policy.action.motion_limits import MotionLimits
from vla_policy.errors import ConfigurationError
from vla_policy.mapping.fitting import check_fits
from vla_policy.own_options import parse_options
from vla_policy.policy import Policy, PolicyConfig
from vla_policy.registry import create
from vla_policy.replay.policy import RecordingPolicy
from vla_policy.settings import Settings

OPTIONS = ("decode", "temperature", "beams", "dtype", "quantization", "plan", "min_legal_mass", "compile", "engine")
REMOTE_OPTIONS = ("server", "token_file")
DEFAULT_PERIOD_S = 0.2  # [s] without a map
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
    """Make the policy of these settings. Raises PolicyError, also for a map that does not fit the policy."""
    config = policy_config(settings)
    policy = create(settings.policy, config)
    if config.observation_map is not None:
        check_fits(config.observation_map, policy)
    if not settings.record:
        return policy
    try:
        return RecordingPolicy(policy, settings.record)
    except OSError as error:
        raise ConfigurationError(f"record: {settings.record} cannot be written: {error}") from error


def policy_config(settings: Settings) -> PolicyConfig:
    """Return what the policy's factory is given.

    Raises ConfigurationError for limits that leave no room, and for a map that is invalid or not for the robot.
    """
    observation_map = load_observation_map(settings)
    return PolicyConfig(
        checkpoint=settings.checkpoint,
        device=settings.device,
        robot=settings.robot,
        period_s=step_period(settings, observation_map),
        threads=settings.threads,
        options={name: getattr(settings, name) for name in OPTIONS},
        limits=motion_limits(settings),
        own_options=own_options(settings),
        observation_map=observation_map,
    )


def own_options(settings: Settings) -> dict[str, str]:
    """Return the options of the policy alone. Raises ConfigurationError."""
    given = {name: getattr(settings, name) for name in REMOTE_OPTIONS}
    return {**{name: text for name, text in given.items() if text}, **parse_options(settings.policy_options)}


def load_observation_map(settings: Settings) -> ObservationMap | None:
    """Return the map of these settings, else the checkpoint's own, bound to the robot where one is named; None without.

    Raises ConfigurationError.
    """
    name = settings.observation_map or map_of_checkpoint(settings.checkpoint)
    if not name:
        return None
    try:
        found = load_map(name)
        return found.for_robot(load_robot_config(settings.robot)) if settings.robot else found
    except (ObservationMapError, RobotConfigError) as error:
        raise ConfigurationError(str(error)) from error


def needed_cameras(policy: Policy, observation_map: ObservationMap | None) -> tuple[str, ...]:
    """Return the cameras that an observation must have: those that the policy names, else all of the map."""
    if policy.camera_names or observation_map is None:
        return policy.camera_names
    return tuple(camera.name for camera in observation_map.cameras)


def step_period(settings: Settings, observation_map: ObservationMap | None) -> float:
    """Return the time between steps [s]. Raises ConfigurationError where parameter and map contradict each other."""
    asked = settings.step_period
    if observation_map is None:
        return asked or DEFAULT_PERIOD_S
    if asked not in (0.0, observation_map.period_s):
        raise ConfigurationError(
            f"step_period is {asked} s; valid with map {observation_map.name} is 0: its period_s is "
            f"{observation_map.period_s:g} s"
        )
    return observation_map.period_s


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
