# SPDX-License-Identifier: Apache-2.0
"""The part of the graph that lets faults happen in it, for tests: `faults:=true`."""

from .description import FAULTS, Argument, FileWord, FromArgument, Node, Rule

ROBOT_FILE = "{share}/config/robots/{robot}.yaml"
ARM, HAND = FileWord(ROBOT_FILE, "arm_command_topic"), FileWord(ROBOT_FILE, "gripper_command_topic")

FAULT_ARGUMENT = Argument(
    FAULTS,
    "false",
    "true: fault_node stands on the arrows of the graph, and fault_node/inject lets faults happen there; for tests.",
    ("true", "false"),
    kind=bool,
)

FAULT_RULES = (Rule({"sim": ("gazebo",)}, "the names of Gazebo's topics are not those", keep_default=(FAULTS,)),)

FAULT_STACK = (
    Node(
        "vla_faults",
        "fault_node",
        parameters={"robot_config": FromArgument("robot"), "clock": FromArgument("sim_time")},
        when={FAULTS: (True,)},
    ),
)
