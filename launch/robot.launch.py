# SPDX-License-Identifier: Apache-2.0
"""Starts the graph that stands in vla_bringup/graph.py; `vla up` starts the same without ros2 launch.

ros2 launch vla_bringup robot.launch.py robot:=fr3 sim:=mujoco policy:=rt1 instruction:='pick up the red block'
Another launch file may include it with arguments, within PushRosNamespace and SetRemap.
"""

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch.actions import (
    DeclareLaunchArgument,
    IncludeLaunchDescription,
    OpaqueFunction,
    RegisterEventHandler,
    SetEnvironmentVariable,
    Shutdown,
)
from launch.event_handlers import OnShutdown
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from vla_bringup.commands import package_of
from vla_bringup.description import RESTART_DELAY_S, RESTART_LIMIT, OnExit
from vla_bringup.graph import GRAPH
from vla_bringup.presence import namespace_of, take_lock
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
    given = {argument.name: LaunchConfiguration(argument.name).perform(context) for argument in GRAPH.arguments}
    pushed = context.launch_configurations.get("ros_namespace", "")
    starts = GRAPH.resolve(given, Path(get_package_share_directory("vla_bringup")), pushed)
    release = take_lock(namespace_of(starts))  # against a second graph in the same place
    unlock = RegisterEventHandler(OnShutdown(on_shutdown=lambda *_: release(), handle_once=True))
    nodes = [include(start) if isinstance(start, IncludeStart) else node(start) for start in starts]
    return [unlock, *nodes]


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
        namespace=start.namespace or None,
        remappings=list(start.remappings),
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
