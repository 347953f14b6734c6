# SPDX-License-Identifier: Apache-2.0
"""The part of the graph that drives an arm: `driver:=franka`, `franka-sim`, which needs no arm, and `widowx`."""

from .description import Argument, FromArgument, Matches, Node, Rule, Select, Value
from .faults import ARM, HAND
from .robots import ROBOTS

FRANKA, FRANKA_SIM, WIDOWX = "franka", "franka-sim", "widowx"
DRIVES = {FRANKA: "fr3", FRANKA_SIM: "fr3", WIDOWX: "wx250s"}  # the robot file of each
REAL = tuple(driver for driver in DRIVES if driver != FRANKA_SIM)
VALID = "valid: " + ", ".join(
    f"robot:={robot} driver:={driver} sim:={'mujoco' if driver == FRANKA_SIM else 'none'}"
    for driver, robot in DRIVES.items()
)
SIMULATED = {"driver": (FRANKA_SIM,)}
BOTH = {"driver": (FRANKA, FRANKA_SIM)}
WAIT: dict[Value, float] = {FRANKA: 0.0, FRANKA_SIM: 60.0}  # [s] for an arm that is started at the same time
REALTIME: dict[Value, str] = {FRANKA: "auto", FRANKA_SIM: "ignore"}
JOINT_STATES: dict[Value, str] = {"none": "", **dict.fromkeys(DRIVES, ""), FRANKA_SIM: "joint_states"}
ARM_FROM = Select("driver", JOINT_STATES)  # the simulated arm stands where these joint states say
HAND_FEEDBACK = Select("driver", {"none": "", **dict.fromkeys(DRIVES, ""), FRANKA_SIM: FromArgument("robot_ip")})

DRIVER_ARGUMENTS = (
    Argument(
        "driver",
        "none",
        "What of this repository drives the arm: franka, or franka-sim: the same against franky-sim, at the simulated "
        "table; widowx: the servos' bus of a WidowX; none: the simulator, or the robot's own drivers.",
        ("none", *DRIVES),
    ),
    Argument("robot_ip", "", "Address of the arm's control unit; of driver:=franka-sim a loopback address."),
    Argument("port", "/dev/ttyDXL", "Serial port of the servos' bus of driver:=widowx."),
    Argument("read_only", "false", "true: the driver publishes and never moves the arm.", ("true", "false"), kind=bool),
)

DRIVER_RULES = (
    *(
        Rule(
            {"driver": (driver,), "robot": tuple(r for r in ROBOTS if r != robot)}, f"it drives {robot} alone; {VALID}"
        )
        for driver, robot in DRIVES.items()
    ),
    Rule({"driver": REAL, "sim": ("mujoco", "gazebo")}, "a real arm goes with sim:=none"),
    Rule({**SIMULATED, "sim": ("gazebo", "none")}, "franky-sim moves the arm at the simulated table of sim:=mujoco"),
    Rule(BOTH, "such as 172.16.0.2, or 127.0.0.1 for driver:=franka-sim", requires="robot_ip"),
    Rule({"driver": (WIDOWX,)}, "a WidowX has no address; port:= names its bus", keep_default=("robot_ip",)),
    Rule({"driver": ("none", FRANKA, FRANKA_SIM)}, "only driver:=widowx has one", keep_default=("port",)),
    Rule(BOTH, "libfranka runs on the wall clock", keep_default=("sim_time", "real_time_factor", "action_delay")),
    Rule(
        {"driver": ("none",)},
        "only driver:=franka and driver:=franka-sim read it, and read_only driver:=widowx too",
        keep_default=("robot_ip", "read_only"),
    ),
)

DRIVER_STACK = (
    Node(
        "vla_hardware",
        "widowx_driver_node",
        config="widowx_driver_node.yaml",
        parameters={
            "robot_config": FromArgument("robot"),
            "port": FromArgument("port"),
            "read_only": FromArgument("read_only"),
        },
        when={"driver": (WIDOWX,)},
        reads=(ARM, HAND),
    ),
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
