# SPDX-License-Identifier: Apache-2.0
"""`vla serve-test`: connect to a policy server, send observations, say what comes back and how fast.

Without a map only the connection and what the server tells about itself are checked.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from vla_core.action import ActionMode
from vla_core.arguments import add_settings
from vla_core.observation_map.errors import ObservationMapError
from vla_core.observation_map.presets import load_map, map_names
from vla_core.robot import RobotConfigError, load_robot_config

from vla_policy.errors import ConfigurationError, PolicyError
from vla_policy.remote.address import EXAMPLES
from vla_policy.remote.check.measure import Measured, measure, observations, ranges
from vla_policy.remote.credentials import Credentials, read_token
from vla_policy.remote.options import Options
from vla_policy.remote.policy import RemotePolicy
from vla_policy.remote.protocols import make_server
from vla_policy.remote.server import one_line

REFUSED, FAILED = 2, 1  # exit statuses
MAX_COUNT = 10_000
LONGEST = 110  # [characters] of a value of the metadata

NATIVE_SIZE = (480, 640)  # (height, width) [px] of cameras that the map does not scale


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status: 0 the server answers, 1 it does not, 2 refused before it was asked."""
    arguments = parser().parse_args(argv)
    try:
        check(arguments)
    except (ConfigurationError, ObservationMapError, RobotConfigError) as error:
        print(f"vla serve-test: {one_line(error, 600)}", file=sys.stderr)
        return REFUSED
    except PolicyError as error:
        print(f"vla serve-test: {one_line(error, 600)}", file=sys.stderr)
        return FAILED
    return 0


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    made = argparse.ArgumentParser(prog="vla serve-test", description=__doc__)
    made.add_argument("server", help=EXAMPLES)
    made.add_argument("--map", default="", help=f"observation map: {', '.join(map_names())}, or a file (default none)")
    made.add_argument("--robot", default="fr3", help="whose joints and gripper count (default fr3)")
    made.add_argument("--count", type=int, default=20, help="observations to send (default 20)")
    made.add_argument("--instruction", default="pick up the red block", help="(default 'pick up the red block')")
    names = [item.name for item in fields(Options) if item.name != "server"]
    add_settings(made, Options, names)
    return made


def check(arguments: argparse.Namespace) -> None:
    """Check a server. Raises PolicyError, ObservationMapError, RobotConfigError."""
    if not 1 <= arguments.count <= MAX_COUNT:
        raise ConfigurationError(f"count is {arguments.count}; valid is 1 to {MAX_COUNT}")
    options = Options(**{item.name: getattr(arguments, item.name) for item in fields(Options)})
    files = (options.ca_file, options.certificate_file, options.key_file)
    credentials = Credentials(read_token(options.token_file), *files)
    robot = load_robot_config(arguments.robot)
    server = make_server(options.server, credentials)
    if not arguments.map:
        try:
            show_metadata(server.connect(options.connect_timeout))
        finally:
            server.close()
        print("no observation was sent; --map sends some")
        return
    policy = RemotePolicy(server, load_map(arguments.map).for_robot(robot), options)
    try:
        show_metadata(policy.connect())
        sizes = {camera.name: camera.height_width or NATIVE_SIZE for camera in policy.observation_map.cameras}
        seen = observations(policy.observation_map, robot, arguments.count, sizes)
        show(measure(policy, seen, arguments.instruction))
        print(policy.remark)
    finally:
        policy.close()


def show_metadata(metadata: Mapping[str, Any]) -> None:
    """Print what the server tells about itself, one key a line."""
    print(f"connected; metadata: {'none' if not metadata else ''}".rstrip())
    for key, value in metadata.items():
        if isinstance(value, Mapping):
            for name, inner in value.items():
                print(f"  {key}.{name}: {_short(inner)}")
        else:
            print(f"  {key}: {_short(value)}")


def show(measured: Measured) -> None:
    """Print the actions' shape and ranges, and the latency."""
    chunks = measured.chunks
    lengths = sorted({len(chunk.steps) for chunk in chunks})
    mode = ActionMode(chunks[0].mode).name.lower()
    print(f"actions: {mode}, {' or '.join(map(str, lengths))} steps of {chunks[0].period:g} s are used")
    for name, unit, values in ranges(chunks):
        low, high = np.nanmin(values, axis=0, initial=np.inf), np.nanmax(values, axis=0, initial=-np.inf)
        print(f"  {name} [{unit}]: {_numbers(low)} to {_numbers(high)}")
    print(f"latency: first {measured.first_s * 1e3:.1f} ms", end="")
    for percent, seconds in measured.latencies().items():
        print(f", p{percent} {seconds * 1e3:.1f} ms", end="")
    print(f" ({len(chunks)} observations)")


def _numbers(values: np.ndarray[Any, Any]) -> str:
    return " ".join(f"{value:.3f}" for value in values)


def _short(value: object) -> str:
    text = one_line(repr(value), 10_000)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


if __name__ == "__main__":
    sys.exit(main())
