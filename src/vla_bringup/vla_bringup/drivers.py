# SPDX-License-Identifier: Apache-2.0
"""The part of the graph that drives an arm itself: `driver:=franka`, and `driver:=franka-sim`, which needs no arm."""

from .description import Argument, FromArgument, Matches, Node, Rule, Select, Value
from .faults import ARM, HAND

FRANKA, FRANKA_SIM = "franka", "franka-sim"
SIMULATED = {"driver": (FRANKA_SIM,)}
BOTH = {"driver": (FRANKA, FRANKA_SIM)}
WAIT: dict[Value, float] = {FRANKA: 0.0, FRANKA_SIM: 60.0}  # [s] for an arm that is started at the same time
REALTIME: dict[Value, str] = {FRANKA: "auto", FRANKA_SIM: "ignore"}
JOINT_STATES: dict[Value, str] = {"none": "", FRANKA: "", FRANKA_SIM: "joint_states"}
ARM_FROM = Select("driver", JOINT_STATES)  # the simulated arm stands where these joint states say
HAND_FEEDBACK = Select("driver", {"none": "", FRANKA: "", FRANKA_SIM: FromArgument("robot_ip")})

DRIVER_ARGUMENTS = (
    Argument(
        "driver",
        "none",
        "What of this repository drives the arm: franka, or franka-sim: the same against franky-sim, at the simulated "
        "table; none: the simulator, or the robot's own drivers.",
        ("none", FRANKA, FRANKA_SIM),
    ),
    Argument("robot_ip", "", "Address of the arm's control unit; of driver:=franka-sim a loopback address."),
    Argument("read_only", "false", "true: the driver publishes and never moves the arm.", ("true", "false"), kind=bool),
)

DRIVER_RULES = (
    Rule({**BOTH, "robot": ("wx250s",)}, "it drives the Franka Research 3 alone"),
    Rule({"driver": (FRANKA,), "sim": ("mujoco", "gazebo")}, "a real arm goes with sim:=none"),
    Rule({**SIMULATED, "sim": ("gazebo", "none")}, "franky-sim moves the arm at the simulated table of sim:=mujoco"),
    Rule(BOTH, "such as 172.16.0.2, or 127.0.0.1 for driver:=franka-sim", requires="robot_ip"),
    Rule(BOTH, "libfranka runs on the wall clock", keep_default=("sim_time", "real_time_factor", "action_delay")),
    Rule(
        {"driver": ("none",)},
        "only driver:=franka and driver:=franka-sim read it",
        keep_default=("robot_ip", "read_only"),
    ),
)

DRIVER_STACK = (
    Node(
        "vla_hardware", "franka_sim", arguments=("--real-time", "--address", FromArgument("robot_ip")), when=SIMULATED
    ),
    Node(
        "vla_hardware",
        "franka_driver_node",
        config="franka_driver_node.yaml",
        parameters={
            "robot_config": FromArgument("robot"),
            "robot_ip": FromArgument("robot_ip"),
            "read_only": FromArgument("read_only"),
            "wait": Select("driver", WAIT),
            "realtime": Select("driver", REALTIME),
            "follow_arm_clock": Matches(SIMULATED),
        },
        when=BOTH,
        reads=(ARM, HAND),
    ),
)
