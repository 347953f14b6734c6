# SPDX-License-Identifier: Apache-2.0
"""Turns what is to be started into command lines, finding executables as `ros2 run` does: through the ament index."""

import json
import os
import shutil
from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_prefix

from .description import GraphError, Value
from .resolution import IncludeStart, NodeStart, Start


def command_line(start: Start) -> tuple[str, ...]:
    """Return the command line of `start`; raises GraphError naming what is missing on this machine."""
    if isinstance(start, IncludeStart):
        return _include_command(start)
    return (str(find_executable(package_of(start), start.executable)), *start.arguments, *ros_arguments(start))


def package_of(start: NodeStart) -> str:
    """Return the package that offers the node here: its own, or its fallback where that is not installed."""
    if not start.fallback:
        return start.package
    try:
        get_package_prefix(start.package)
    except PackageNotFoundError:
        return start.fallback
    return start.package


def find_executable(package: str, executable: str) -> Path:
    """Return `<prefix>/lib/<package>/<executable>`; raises GraphError when the package or the file is missing."""
    folder = _prefix(package) / "lib" / package
    path = folder / executable
    if not os.access(path, os.X_OK):
        there = sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
        raise GraphError(f"{package} has no executable {executable} in {folder}; it has: {', '.join(there) or 'none'}")
    return path


def ros_arguments(start: NodeStart) -> tuple[str, ...]:
    """Return the `--ros-args …` of a node: name where it is not the executable's, namespace, remappings, parameters."""
    words: list[str] = []
    if start.name != start.executable:
        words += ["-r", f"__node:={start.name}"]
    if start.namespace:
        words += ["-r", f"__ns:={start.namespace}"]
    for name, other in start.remappings:
        words += ["-r", f"{name}:={other}"]
    if start.parameter_file is not None:
        words += ["--params-file", str(start.parameter_file)]
    for name, value in start.parameters.items():
        words += ["-p", f"{name}:={_yaml(value)}"]
    return ("--ros-args", *words) if words else ()


def _yaml(value: Value) -> str:
    """A value as YAML that keeps its type: JSON strings are YAML strings, so '5' and 'true' stay text."""
    return json.dumps(value, ensure_ascii=False)


def _include_command(start: IncludeStart) -> tuple[str, ...]:
    ros2 = shutil.which("ros2")
    if ros2 is None:
        raise GraphError(
            f"{start.package}/{start.file} needs the program `ros2`, which is not on the PATH; "
            "this choice works where ROS 2 is installed from apt and sourced"
        )
    _prefix(start.package)
    return (ros2, "launch", start.package, start.file, *(f"{name}:={text}" for name, text in start.arguments.items()))


def _prefix(package: str) -> Path:
    try:
        return Path(get_package_prefix(package))
    except PackageNotFoundError:
        raise GraphError(
            f"the ROS package {package} is not installed here (looked in {os.environ.get('AMENT_PREFIX_PATH', '')!r}); "
            "packages of this repository are built with ./vla build, others come from apt"
        ) from None
