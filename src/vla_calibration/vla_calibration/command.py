# SPDX-License-Identifier: Apache-2.0
"""`vla calibrate`: where a camera is, by a printed ChArUco board. It moves nothing: lead the arm by hand or teleop."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from vla_core.files import write_text
from vla_core.robot import RobotConfig, RobotConfigError, load_robot_config

from vla_calibration.board import PAGES, Board
from vla_calibration.errors import CalibrationError
from vla_calibration.folder import read_folder
from vla_calibration.solve import Mount, solve
from vla_calibration.transform import tf_command, tool_in_link, transform_yaml, urdf_joint

COMMANDS = ("board", "collect", "solve", "run")
REFUSED = 2  # exit status
POOR_PX = 1.5  # [pixels] beyond which a result is not to be trusted


def main(argv: Sequence[str] | None = None) -> int:
    """Return 0 when done, 1 for a poor result, 2 for input that cannot be used. Without a command: run."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words and words[0] not in COMMANDS and words[0] not in ("-h", "--help"):
        words = ["run", *words]
    options = parser().parse_args(words or ["run"])
    try:
        if options.command == "board":
            return print_board(options)
        config = load_robot_config(options.robot)
        if options.command != "solve":
            collect(options, config)
        return 0 if options.command == "collect" else report(options, config)
    except (CalibrationError, RobotConfigError, OSError) as error:
        print(f"vla calibrate: {error}", file=sys.stderr)
        return REFUSED


def print_board(options: argparse.Namespace) -> int:
    """Write the page to print."""
    board = board_of(options)
    board.write(options.out, options.page)
    width, height = (1000 * side for side in board.size)
    print(
        f"written: {options.out}. Print it at 100 %, glue it on something flat, measure: {width:.1f} x {height:.1f} mm"
    )
    return 0


def board_of(options: argparse.Namespace) -> Board:
    """Return the board of the command line; raises CalibrationError."""
    marker = options.marker_mm if options.marker_mm is not None else 0.75 * options.square_mm
    return Board(options.columns, options.rows, options.square_mm / 1000.0, marker / 1000.0)


def collect(options: argparse.Namespace, config: RobotConfig) -> None:
    """Collect samples from the running graph until there are enough, or the person ends it."""
    from vla_calibration.ros.collector import collect as listen

    listen(config, board_of(options), options.folder, options.camera, options.count, options.namespace)


def report(options: argparse.Namespace, config: RobotConfig) -> int:
    """Solve a folder, print the errors and write the transform."""
    samples, refused, board, intrinsics = read_folder(options.folder, config)
    for line in refused:
        print(f"not used: {line}", file=sys.stderr)
    mount = Mount(options.mount)
    found = solve(samples, board, intrinsics, mount)
    parent, child = config.base_frame, options.frame
    if mount is Mount.HAND:
        parent, found = config.model.tcp_body, replace(found, camera=tool_in_link(config.model) @ found.camera)
    print(
        f"{found.samples} pictures: {found.error_px:.2f} px, {found.error_mm:.2f} mm rms of the corners; "
        f"{found.worst} fits least"
    )
    print(
        f"camera within about {2 * found.sigma_mm:.2f} mm and {2 * found.sigma_deg:.3f} deg (two standard deviations)"
    )
    write_text(options.out, transform_yaml(found, parent, child))
    print(f"written: {options.out}")
    print(f"tf:   {tf_command(found, parent, child)}")
    print(f"URDF: {urdf_joint(found, parent, child)}")
    if found.error_px > POOR_PX:
        print(f"{found.error_px:.1f} px is poor: check the printed size, the intrinsics, and that nothing is loose")
        return 1
    return 0


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    made = argparse.ArgumentParser(prog="vla calibrate", description=__doc__)
    commands = made.add_subparsers(dest="command", required=True)
    page = commands.add_parser("board", help="write a page to print")
    page.add_argument("--out", type=Path, default=Path("out/board.pdf"), help=".pdf or .png (default: %(default)s)")
    page.add_argument("--page", choices=tuple(PAGES), default="A4")
    parts = {
        "collect": commands.add_parser("collect", help="pictures and joints from the running graph into a folder"),
        "solve": commands.add_parser("solve", help="the transform from a folder"),
        "run": commands.add_parser("run", help="both (the default)"),
    }
    for command in (page, parts["collect"], parts["run"]):
        command.add_argument("--columns", type=int, default=7, help="squares (default: %(default)s)")
        command.add_argument("--rows", type=int, default=5, help="squares (default: %(default)s)")
        command.add_argument(
            "--square-mm", type=float, default=35.0, help="as measured on paper (default: %(default)s)"
        )
        command.add_argument("--marker-mm", type=float, help="(default: 0.75 of the square)")
    for name, command in parts.items():
        command.add_argument(
            "folder", type=Path, nargs="?", default=Path("out/calibration"), help="(default: %(default)s)"
        )
        command.add_argument("--robot", default="fr3", help="name or file of the robot (default: %(default)s)")
        if name != "solve":
            command.add_argument("--camera", default="camera", help="topics NAME/image_raw and NAME/camera_info")
            command.add_argument("--count", type=int, default=18, help="pictures (default: %(default)s)")
            command.add_argument("--namespace", default="", help="of the graph (default: none)")
        if name != "collect":
            mounts = [each.value for each in Mount]
            about = "fixed: the board is on the hand; hand: the camera is (default: %(default)s)"
            command.add_argument("--mount", choices=mounts, default=Mount.FIXED.value, help=about)
            command.add_argument("--frame", default="camera_optical_frame", help="child frame (default: %(default)s)")
            command.add_argument(
                "--out", type=Path, default=Path("out/camera_transform.yaml"), help="(default: %(default)s)"
            )
    return made


if __name__ == "__main__":
    sys.exit(main())
