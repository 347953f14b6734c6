# SPDX-License-Identifier: Apache-2.0
"""`vla serve`: any policy behind openpi's protocol, for several robots.

Clients are `policy:=remote` of this repository, openpi's own and others. On SIGINT and SIGTERM they are told that the
server goes away.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Sequence
from dataclasses import fields

from vla_core.arguments import add_settings
from vla_core.observation_map.errors import ObservationMapError
from vla_core.observation_map.observation_map import ObservationMap
from vla_core.observation_map.presets import load_map, map_names, map_of_checkpoint
from vla_core.robot import RobotConfigError, load_robot_config
from vla_core.settings import SettingsError

from vla_policy.errors import ConfigurationError, PolicyError
from vla_policy.loading import OPTIONS, load_policy, policy_settings
from vla_policy.registry import available
from vla_policy.serve.engine import Engine, LocalEngine
from vla_policy.serve.fleet.plan import read_plan
from vla_policy.serve.server import PolicyServer
from vla_policy.serve.settings import RAY, ServeSettings
from vla_policy.settings import Settings

POLICY_OPTIONS = ("checkpoint", "device", "threads", *(name for name in OPTIONS if name != "engine"), "narrow")
REFUSED, FAILED = 2, 1  # exit statuses


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status: 0 ended by a signal, 1 failed, 2 refused."""
    arguments = parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    logging.getLogger("websockets").setLevel(logging.ERROR)  # the server itself reports what clients do wrong
    try:
        serve(arguments)
    except (PolicyError, ObservationMapError, SettingsError, RobotConfigError) as error:
        print(f"vla serve: {' '.join(str(error).split())[:600]}", file=sys.stderr)
        return REFUSED
    except OSError as error:
        print(f"vla serve: {error}", file=sys.stderr)
        return FAILED
    return 0


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    made = argparse.ArgumentParser(prog="vla serve", description=__doc__)
    made.add_argument("policy", nargs="?", default="rt1", help=f"{', '.join(sorted(available()))} (default rt1)")
    made.add_argument("--robot", default="fr3", help="whose joints, gripper and workspace count (default fr3)")
    add_settings(made.add_argument_group("server"), ServeSettings)
    add_settings(made.add_argument_group("policy"), Settings, POLICY_OPTIONS)
    return made


def serve(arguments: argparse.Namespace) -> None:
    """Serve until a signal comes. Raises PolicyError, ObservationMapError, SettingsError, OSError."""
    settings = ServeSettings(**{item.name: getattr(arguments, item.name) for item in fields(ServeSettings)})
    own = map_of_checkpoint(arguments.checkpoint)
    observation_map = bound_map(settings.map or own, arguments.policy, arguments.robot)
    options = {name: getattr(arguments, name) for name in POLICY_OPTIONS}
    if settings.engine != RAY:
        options["engine"] = settings.engine
    engine = make_engine(settings, policy_settings(arguments.policy, arguments.robot, **options))
    try:
        asyncio.run(_until_signal(PolicyServer(engine, observation_map, settings, arguments.robot), settings))
    finally:
        engine.close()


def bound_map(name: str, policy: str, robot: str) -> ObservationMap:
    """Return the map called `name`, by default the policy's, for a robot.

    Raises ConfigurationError for an unknown policy or one without a map, ObservationMapError, RobotConfigError.
    """
    if policy not in available():
        raise ConfigurationError(f"policy {policy!r} is unknown; valid are {', '.join(sorted(available()))}")
    if not name and policy not in map_names():
        valid = ", ".join(map_names())
        raise ConfigurationError(f"policy {policy} has no observation map of its name; give --map: {valid}, or a file")
    return load_map(name or policy).for_robot(load_robot_config(robot))


def make_engine(settings: ServeSettings, policy: Settings) -> Engine:
    """Load what computes. Raises PolicyError."""
    if settings.engine == RAY:
        from vla_policy.serve.fleet.ray_engine import RayEngine  # Ray is optional

        return RayEngine(policy, read_plan(settings.fleet), settings.max_batch, settings.max_wait_ms / 1e3)
    return LocalEngine(load_policy(policy), settings.max_batch, settings.max_wait_ms / 1e3)


async def _until_signal(server: PolicyServer, settings: ServeSettings) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    async with server.running() as port:
        print(f"serving on {server.scheme}://{settings.host}:{port}", flush=True)
        if settings.host not in ("127.0.0.1", "::1", "localhost") and not (settings.token_file or settings.client_ca):
            print("warning: anybody in this network can use it; see --token-file and --client-ca", file=sys.stderr)
        await ended.wait()
        print("ending", flush=True)
