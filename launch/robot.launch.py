# SPDX-License-Identifier: Apache-2.0
"""Starts the graph that stands in vla_bringup/graph.py; `vla up` starts the same without ros2 launch.

ros2 launch vla_bringup robot.launch.py robot:=fr3 sim:=mujoco policy:=rt1 instruction:='pick up the red block'
"""

import sys
from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch.actions import (
    DeclareLaunchArgument,
    IncludeLaunchDescription,
    OpaqueFunction,
    SetEnvironmentVariable,
    Shutdown,
)
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from vla_bringup.commands import package_of
from vla_bringup.description import RESTART_DELAY_S, RESTART_LIMIT, OnExit
from vla_bringup.graph import GRAPH
from vla_bringup.presence import refuse_if_running
from vla_bringup.resolution import IncludeStart

from launch import LaunchDescription


def generate_launch_description() -> LaunchDescription:
    return LaunchDescription(
        [
            *(declare(argument) for argument in GRAPH.arguments),
            SetEnvironmentVariable("PYTHONUNBUFFERED", "1"),
            OpaqueFunction(function=start_all),
        ]
    )


def declare(argument):
    return DeclareLaunchArgument(
        argument.name,
        default_value=argument.default,
        description=argument.description,
        choices=list(argument.choices) or None,
    )


def start_all(context):
    given = {argument.name: context.launch_configurations[argument.name] for argument in GRAPH.arguments}
    if any(word.endswith("robot.launch.py") for word in sys.argv):  # else included by a file with its own arguments
        given |= GRAPH.parse_command_line([word for word in sys.argv if ":=" in word])
    starts = GRAPH.resolve(given, Path(get_package_share_directory("vla_bringup")))
    refuse_if_running(starts)
    return [include(start) if isinstance(start, IncludeStart) else node(start) for start in starts]


def include(start):
    file = Path(get_package_share_directory(start.package)) / "launch" / start.file
    arguments = {**start.arguments, "on_exit_shutdown": "true"}
    return IncludeLaunchDescription(PythonLaunchDescriptionSource(str(file)), launch_arguments=arguments.items())


def node(start):
    files = [str(start.parameter_file)] if start.parameter_file else []
    values = {name: as_parameter(value) for name, value in start.parameters.items()}
    return Node(
        package=package_of(start),
        executable=start.executable,
        name=start.name if start.name != start.executable else None,
        parameters=[*files, values],
        arguments=list(start.arguments),
        output="screen",
        respawn=start.on_exit is OnExit.RESTART,
        respawn_delay=RESTART_DELAY_S,
        respawn_max_retries=RESTART_LIMIT,
        on_exit=on_exit(start),
    )


def as_parameter(value):
    return ParameterValue(value, value_type=str) if isinstance(value, str) else value  # '5' and 'true' stay text


def on_exit(start):
    def ended(event, context):
        if context.is_shutdown or start.on_exit is OnExit.RESTART:
            return None
        if event.returncode != 0:  # launch stops everything and its own exit status is 1
            raise RuntimeError(f"{start.name} is required and ended with exit code {event.returncode}")
        return [Shutdown(reason=f"{start.name} is required")] if start.on_exit is OnExit.SHUTDOWN else None

    return ended
