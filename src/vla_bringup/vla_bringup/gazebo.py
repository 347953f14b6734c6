# SPDX-License-Identifier: Apache-2.0
"""The part of the graph that stands for `sim:=gazebo`."""

from .description import FromArgument, Include, Node, OnExit, Template

GAZEBO = {"sim": ("gazebo",)}
SIM_TIME = {"use_sim_time": True}

# Gazebo Harmonic with gz_ros2_control, from apt: ros-jazzy-{ros-gz-sim,ros-gz-bridge,gz-ros2-control,ros2-controllers,
# robot-state-publisher}. The spawners wait for the controller manager and `create` for the world: no order to keep.
WORLD = "{share}/config/gazebo/{robot}_world.sdf"
GAZEBO_STACK: tuple[Node | Include, ...] = (
    Include(
        "ros_gz_sim",
        "gz_sim.launch.py",
        {"gz_args": Template("-r -s --headless-rendering " + WORLD)},
        {**GAZEBO, "headless": (True,)},
    ),
    Include("ros_gz_sim", "gz_sim.launch.py", {"gz_args": Template("-r " + WORLD)}, {**GAZEBO, "headless": (False,)}),
    Node(
        "ros_gz_bridge",
        "parameter_bridge",
        name="gazebo_bridge",
        parameters={"config_file": Template("{share}/config/gazebo/bridge.yaml"), **SIM_TIME},
        when=GAZEBO,
    ),
    Node(
        "ros_gz_sim",
        "create",
        name="spawn_robot",
        on_exit=OnExit.ONCE,
        arguments=("-world", "table", "-topic", "robot_description", "-name", FromArgument("robot")),
        parameters=SIM_TIME,
        when=GAZEBO,
    ),
    *(
        Node(
            "controller_manager",
            "spawner",
            name=f"{robot}_controllers",
            on_exit=OnExit.ONCE,
            arguments=("joint_state_broadcaster", arm, "gripper_controller", "--controller-manager-timeout", "60"),
            parameters=SIM_TIME,
            when={**GAZEBO, "robot": (robot,)},
        )
        for robot, arm in (("fr3", "fr3_arm_controller"), ("wx250s", "arm_controller"))
    ),
)
