# SPDX-License-Identifier: Apache-2.0
"""`vla record`: starts the recorder beside the running graph, or tells the one that runs what to do."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from vla_core.ros.start import INTERRUPTED, RosStartError, refuse

from vla_recorder.bag.recovery import recover
from vla_recorder.errors import RecordingError
from vla_recorder.settings import IMAGE_FORMATS

COMMANDS = {
    "start": "begin an episode; the words after it are its task, otherwise the robot's instruction is",
    "stop": "end the episode without a label",
    "success": "end the episode as a success; afterwards: label the last one",
    "failure": "end the episode as a failure; afterwards: label the last one",
    "discard": "delete the episode that is being recorded, or the last one",
    "record-again": "discard it and begin another with the same task",
    "save-last": "write the last 30 s, which are in memory, into a bag",
    "status": "say what is being recorded",
    "recover": "make bags of folders whose recorder was killed",
}
EXAMPLE = """commands:
{commands}

Without a command: the keys of the terminal, and a recorder of its own unless one runs in the graph
(`./vla up recordings:=DIR`)."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0 when it was done, 1 when the recorder refused, 2 for what cannot be started."""
    options = _parser().parse_args(sys.argv[1:] if arguments is None else arguments)
    if options.command == "recover":
        return _recover([Path(word) for word in options.words])
    if options.words and options.command != "start":
        print(f"error: {options.command} takes no words; received {options.words}", file=sys.stderr)
        return 2
    from vla_recorder.ros.session import run_command, run_keys  # only now: rclpy reads the environment

    try:
        if options.command:
            return run_command(options.command, " ".join(options.words), options.timeout, options.namespace)
        return run_keys(_parameters(options), options.timeout, options.namespace)
    except RosStartError as error:
        return refuse(error)
    except (TimeoutError, RecordingError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    listed = "\n".join(f"  {name:13} {text}" for name, text in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="vla record",
        description=__doc__,
        epilog=EXAMPLE.format(commands=listed),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", nargs="?", choices=list(COMMANDS), metavar="COMMAND", help="see below")
    parser.add_argument("words", nargs="*", metavar="WORD", help="of start: the task; of recover: folders")
    parser.add_argument("--out", type=Path, help="folder of the episodes (default: recordings)")
    parser.add_argument("--map", default="", help="observation map whose text goes into the bags: name or path")
    parser.add_argument("--robot", default="", help="name of the robot, for the bags")
    parser.add_argument("--images", choices=IMAGE_FORMATS, default="jpeg", help="png: without loss (default: jpeg)")
    parser.add_argument("--namespace", default="", metavar="NS", help="of the graph (default: none)")
    parser.add_argument("--timeout", type=float, default=5.0, help="[s] to find the recorder (default: %(default)s)")
    return parser


def _parameters(options: argparse.Namespace) -> dict[str, str]:
    values = {"images": options.images, "observation_map": options.map, "robot": options.robot}
    folder = {"folder": str(options.out.absolute())} if options.out else {}
    return folder | {name: value for name, value in values.items() if value}


def _recover(folders: Sequence[Path]) -> int:
    status = 0 if folders else 2
    if not folders:
        print("error: recover needs the folder of a recording", file=sys.stderr)
    for folder in folders:
        try:
            totals = recover(folder)
            print(f"{folder}: {totals.messages} messages, {totals.duration_s:.2f} s")
        except (RecordingError, OSError) as error:
            print(f"error: {error}", file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
