# SPDX-License-Identifier: Apache-2.0
"""`vla up name:=value …`: starts the graph without `ros2 launch`, and stops all of it on Ctrl-C."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from vla_core.dds_security import refusal as security_refusal
from vla_core.ros.start import RosStartError

from .commands import command_line
from .description import GraphError, OnExit
from .graph import GRAPH
from .presence import only_one
from .resolution import Graph, IncludeStart, Start
from .supervisor import Job, Supervisor

EPILOG = """
exit status: 0 stopped on request; 1 a process failed; 2 refused (argument not valid, graph already running)
example: ./vla up robot:=fr3 sim:=mujoco policy:=rt1 instruction:='pick up the red block'
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Start the graph for the command line `arguments`; return the exit status."""
    parser = _parser(GRAPH)
    options = parser.parse_args(arguments)
    try:
        given = GRAPH.parse_command_line(options.words)
        starts = GRAPH.resolve(given, Path(get_package_share_directory("vla_bringup")))
        if options.print:
            print(describe(starts))
            return 0
        if why := security_refusal():
            raise GraphError(why)
        jobs = [job(start) for start in starts]
        with only_one(starts):
            return Supervisor(jobs, environment=environment(sys.stdout.isatty())).run()
    except (GraphError, RosStartError) as error:
        print(f"vla up: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:  # before the supervisor takes the signals
        return 0


def job(start: Start) -> Job:
    """Return the process that runs `start`; raises GraphError when this machine does not have it."""
    if isinstance(start, IncludeStart):
        return Job(start.package, command_line(start), OnExit.SHUTDOWN)
    return Job(start.name, command_line(start), start.on_exit)


def environment(colours: bool) -> dict[str, str]:
    """Return this process's environment with unbuffered output, and log colours where `colours` is true."""
    extra = {"PYTHONUNBUFFERED": "1"}
    if colours:
        extra["RCUTILS_COLORIZED_OUTPUT"] = "1"
    return {**os.environ, **extra}


def describe(starts: Sequence[Start]) -> str:
    """Return the graph in words: each process with what its end means, its files, parameters and arguments."""
    lines: list[str] = []
    for start in starts:
        if isinstance(start, IncludeStart):
            lines.append(f"{start.package}/{start.file}  (end: shutdown)")
            lines += [f"    {name}:={text}" for name, text in start.arguments.items()]
            continue
        lines.append(f"{start.name}  {start.package}/{start.executable}  (end: {start.on_exit.value})")
        lines += [f"    file {start.parameter_file}"] if start.parameter_file else []
        lines += [f"    {name} = {_short(value)}" for name, value in start.parameters.items()]
        lines += [f"    arguments {' '.join(start.arguments)}"] if start.arguments else []
    return "\n".join(lines)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:60]}… ({len(text)} characters)"


def _parser(graph: Graph) -> argparse.ArgumentParser:
    rows = []
    for argument in graph.arguments:
        valid = " | ".join(argument.choices) or argument.noun
        rows.append(f"  {argument.name}:={argument.default or repr('')}\n      {argument.description} [{valid}]")
    parser = argparse.ArgumentParser(
        prog="vla up",
        description="Start the graph: robot or simulator, camera, instructions, policy, controller. Ctrl-C stops all.",
        epilog="arguments and their defaults:\n" + "\n".join(rows) + "\n" + EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("words", nargs="*", metavar="NAME:=VALUE")
    parser.add_argument("--print", action="store_true", help="print what would be started and leave")
    return parser


if __name__ == "__main__":
    sys.exit(main())
