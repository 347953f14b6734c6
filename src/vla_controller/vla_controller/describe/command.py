# SPDX-License-Identifier: Apache-2.0
"""`vla robot`: write the robot file of an arm from its URDF, and check one. Nothing moves."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table
from vla_core.files import write_text
from vla_core.robot import RobotConfig, RobotConfigError, load_robot_config
from vla_core.urdf.model_source import DescriptionError, mesh_path, read_urdf
from vla_core.urdf.text import attached_urdf, with_mesh_names
from vla_core.urdf.tree import UrdfError

from vla_controller.describe.check import Level, check_robot
from vla_controller.describe.make import make_robot
from vla_controller.describe.questions import AnswersMissingError, numbers
from vla_controller.describe.robot_file import robot_file

STYLES = {Level.OK: "green", Level.WARN: "yellow", Level.ERROR: "bold red"}
UNHEALTHY, REFUSED = 1, 2  # exit statuses


def main(argv: Sequence[str] | None = None) -> int:
    """Return 0 where all is well, 1 where a check fails, 2 for input that cannot be used."""
    options = parser().parse_args(argv)
    try:
        return new(options, _ask()) if options.command == "new" else check(options)
    except (UrdfError, DescriptionError, RobotConfigError, AnswersMissingError, OSError) as error:
        print(f"vla robot: {error}", file=sys.stderr)
        return REFUSED
    except KeyboardInterrupt:
        return 130


def _ask() -> Callable[[str], str] | None:
    return input if sys.stdin.isatty() else None


def new(options: argparse.Namespace, ask: Callable[[str], str] | None) -> int:
    """Write the robot file, and check it."""
    path = options.out or Path("config/robots") / f"{options.name}.yaml"
    if path.exists() and not options.force:
        raise UrdfError(f"{path} is there already; --force writes over it, --name or --out choose another")
    text, folder, beside = read_urdf(options.urdf), options.urdf.resolve().parent, False
    if options.attach:
        text, beside = attach(text, folder, options), True
    made = make_robot(text, folder, options, ask)
    path.parent.mkdir(parents=True, exist_ok=True)
    model = where(options.urdf, options.topic)
    if beside and not options.topic:
        write_text(path.with_suffix(".urdf"), text)
        print(f"written: {path.with_suffix('.urdf')}")
        model = {"file": path.with_suffix(".urdf").name}
    write_text(path, robot_file(made.config, model, "vla robot new " + options.urdf.name))
    print(f"written: {path}")
    for note in made.notes:
        print(f"note: {note}")
    if options.topic:
        print(f"vla robot check needs the URDF itself: --urdf {options.urdf}")
        return 0
    return report(load_robot_config(str(path)), options) if options.check else 0


def attach(text: str, folder: Path, options: argparse.Namespace) -> str:
    """Return the arm's URDF with the tool's on it, every mesh under a name that holds wherever the file lies."""
    tool, at = options.attach
    arm = with_mesh_names(text, lambda name: portable(name, folder))
    other = with_mesh_names(read_urdf(Path(tool)), lambda name: portable(name, Path(tool).resolve().parent))
    return attached_urdf(arm, other, at, f"{Path(tool).stem}_mount")


def portable(name: str, folder: Path) -> str:
    """Return a mesh's name as `package://` of the Python package that holds it, else as its absolute path."""
    path = mesh_path(name, folder)
    if path is None:
        return name
    parts = path.parts
    if "site-packages" not in parts:
        return str(path)
    start = parts.index("site-packages") + 1
    return f"package://{'/'.join(parts[start:])}"


def where(urdf: Path, topic: str) -> dict[str, str]:
    """Return what the robot file says of where its description is."""
    if topic:
        return {"topic": topic}
    parts = urdf.resolve().parts
    if "site-packages" in parts:
        start = parts.index("site-packages") + 1
        return {"package": parts[start], "file": "/".join(parts[start + 1 :])}
    return {"file": str(urdf.resolve())}


def check(options: argparse.Namespace) -> int:
    """Check a robot file by name or path."""
    config = load_robot_config(options.name)
    if options.urdf:
        config = replace(config, model=replace(config.model, text=read_urdf(options.urdf)))
    return report(config, options)


def report(config: RobotConfig, options: argparse.Namespace) -> int:
    """Print the verdicts on a robot; 1 where one is an error."""
    verdicts = list(check_robot(config, streams=options.streams))
    if options.json:
        rows = [{"level": v.level.value, "subject": v.subject, "found": v.found, "remedy": v.remedy} for v in verdicts]
        print(json.dumps(rows, indent=2))
    else:
        table = Table("", "checked", "found", "remedy", show_edge=False, expand=True)
        for v in verdicts:
            table.add_row(f"[{STYLES[v.level]}]{v.level.value}[/{STYLES[v.level]}]", v.subject, v.found, v.remedy)
        Console().print(table)
    return UNHEALTHY if any(verdict.level is Level.ERROR for verdict in verdicts) else 0


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    made = argparse.ArgumentParser(prog="vla robot", description=__doc__)
    commands = made.add_subparsers(dest="command", required=True)
    fresh = commands.add_parser("new", help="write config/robots/NAME.yaml from a URDF")
    fresh.add_argument("urdf", type=Path, help=".urdf, or .xacro where the program xacro is installed")
    fresh.add_argument("--name", type=_name, required=True, help="of the robot and its file")
    fresh.add_argument("--base", default="", metavar="LINK", help="frame of every pose (default: the arm's first link)")
    fresh.add_argument("--tcp", default="", metavar="LINK", help="link of the tool (default: named tcp, else the last)")
    fresh.add_argument("--tcp-position", type=_count(3), default=(0.0, 0.0, 0.0), metavar="'X Y Z'", help="in it [m]")
    fresh.add_argument(
        "--tcp-quaternion",
        type=_count(4),
        default=(0.0, 0.0, 0.0, 1.0),
        metavar="'X Y Z W'",
        help="z out of the hand, y along the opening",
    )
    fresh.add_argument("--attach", nargs=2, metavar=("URDF", "LINK"), help="a gripper's URDF on a link of the arm's")
    fresh.add_argument(
        "--limit", type=_limit, action="append", default=[], metavar="JOINT=LOW:HIGH", help="narrower [rad]"
    )
    fresh.add_argument("--acceleration", type=_count(-1), help="[rad/s^2], one number or one a joint")
    fresh.add_argument("--jerk", type=_count(-1), help="[rad/s^3], likewise (default: full acceleration in 10 ms)")
    fresh.add_argument(
        "--workspace", type=_count(6), metavar="'X Y Z X Y Z'", help="box of the tool [m], low then high"
    )
    fresh.add_argument("--home", type=_count(-1), help="joints at home [rad]")
    fresh.add_argument("--home-tool", type=_count(3), metavar="'X Y Z'", help="instead: where the tool points down [m]")
    fresh.add_argument("--gripper-joint", help="commanded finger joint (default: the URDF's)")
    fresh.add_argument("--gripper-width", type=_count(2), metavar="'LOW HIGH'", help="[m] (default: the URDF's)")
    fresh.add_argument("--gripper-speed", type=_count(1), help="of the width [m/s] (default: the URDF's)")
    fresh.add_argument("--arm-topic", default="arm_controller/joint_trajectory", help="(default: %(default)s)")
    fresh.add_argument("--gripper-topic", default="gripper_controller/joint_trajectory", help="(default: %(default)s)")
    fresh.add_argument("--topic", default="", help="the controller reads the URDF from this topic instead of the file")
    fresh.add_argument("--no-collision", dest="collision", action="store_false", help="no capsules around the links")
    fresh.add_argument("--out", type=Path, metavar="FILE", help="(default: config/robots/NAME.yaml)")
    fresh.add_argument("--force", action="store_true", help="write over a file that is there")
    fresh.add_argument("--no-check", dest="check", action="store_false", help="only write the file")
    checked = commands.add_parser("check", help="check a robot file before its arm moves")
    checked.add_argument("name", help="name or file of the robot")
    checked.add_argument("--urdf", type=Path, help="of a robot whose description comes on a topic")
    for command in (fresh, checked):
        command.add_argument("--no-streams", dest="streams", action="store_false", help="without streams of actions")
        command.add_argument("--json", action="store_true", help="print the verdicts as JSON")
    return made


def _name(text: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not valid; small letters, digits and _ are")
    return text


def _count(count: int) -> Callable[[str], tuple[float, ...]]:
    def parse(text: str) -> tuple[float, ...]:
        try:
            return numbers(text, count)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return parse


def _limit(text: str) -> tuple[str, tuple[float, float]]:
    found = re.fullmatch(r"([^=]+)=([^:]+):([^:]+)", text)
    try:
        if found is None:
            raise ValueError
        return found[1], (float(found[2]), float(found[3]))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not valid; JOINT=LOW:HIGH in rad is") from None


if __name__ == "__main__":
    sys.exit(main())
