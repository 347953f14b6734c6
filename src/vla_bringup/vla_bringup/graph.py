# SPDX-License-Identifier: Apache-2.0
"""The graph, described once. `ros2 launch vla_bringup robot.launch.py …` and `vla up …` both start what stands here.

    camera_node, instruction_node -> policy_node -> controller_node -> simulator_node | Gazebo | the robot's drivers

With `sim:=none` the drivers of the robot are started by their own packages. They are to offer

| robot | publishes | takes |
|---|---|---|
| both | sensor_msgs/JointState on joint_states; sensor_msgs/Image on camera/image_raw | |
| fr3 (franka_ros2) | | trajectory_msgs/JointTrajectory on fr3_arm_controller/joint_trajectory |
| wx250s (interbotix_ros_manipulators) | | trajectory_msgs/JointTrajectory on arm_controller/joint_trajectory |
| both | | trajectory_msgs/JointTrajectory on gripper_controller/joint_trajectory: travel of the first finger [m] |

`driver:=franka` and `driver:=widowx` start a driver of this repository instead.

franka_ros2 offers its gripper as an action: set `gripper_output: gripper_command` and `gripper_command_topic:
franka_gripper/gripper_action` in config/controller_node.yaml. interbotix_xs_sdk takes /wx250s/commands/joint_group and
publishes /wx250s/joint_states: it needs an adapter (docs/controller.md).
"""

from collections.abc import Mapping

from .description import (
    Argument,
    FileEntry,
    FromArgument,
    MapName,
    MapTopic,
    Matches,
    Node,
    OnExit,
    Rule,
    Select,
    Setting,
    Template,
    Value,
)
from .drivers import ARM_FROM, DRIVER_ARGUMENTS, DRIVER_RULES, DRIVER_STACK, HAND_FEEDBACK
from .faults import ARM, FAULT_ARGUMENT, FAULT_RULES, FAULT_STACK, HAND, ROBOT_FILE
from .gazebo import GAZEBO, GAZEBO_STACK
from .maps import MAP, check_map
from .planners import planner_names
from .policies import ON_A_SERVER, SERVERS, SHIPPED, policy_names
from .resolution import NAMESPACE, NAMESPACE_FORM, WITHIN_NAMESPACE, Graph
from .robots import DESCRIPTIONS, ROBOT_RULES, ROBOTS

MUJOCO = {"sim": ("mujoco",)}
NOT_MUJOCO = {"sim": ("gazebo", "none")}
SIM_TIME = {"use_sim_time": Matches(GAZEBO, {"sim_time": (True,)})}
ROBOT = {"robot_config": FromArgument("robot")}
OBSERVATION_MAP = {"observation_map": MapName(MAP)}
POLICIES, PLANNERS = policy_names(), planner_names()
WEIGHTS: Mapping[Value, Setting] = {
    **{policy: FromArgument("checkpoint") for policy in POLICIES},
    "replay": FromArgument("replay_file"),
    "expert": "",
}
BOOLEAN = ("true", "false")
LEGAL_MASS = "rt2 refuses an action, and the arm holds, when the model gives less probability to legal tokens."

ARGUMENTS = (
    Argument("robot", "fr3", "Robot arm: Franka Research 3, WidowX 250 S, or a robot file with a URDF.", ROBOTS),
    Argument("namespace", "", "ROS namespace of every node.", pattern=NAMESPACE, form=NAMESPACE_FORM),
    Argument("sim", "mujoco", "What stands in for the robot; none: its own drivers.", ("mujoco", "gazebo", "none")),
    Argument("policy", "rt1", "What turns images into actions.", POLICIES),
    Argument(
        "checkpoint",
        "",
        "Weights of the policy: a folder, a shipped name, or (rt2) a hub id; empty: shipped for the robot.",
    ),
    Argument(MAP, "", "Observation map: what the policy sees and says; a name or a .yaml file; empty: the policy's."),
    Argument("device", "auto", "Where the policy computes; auto: a GPU if there is one.", ("auto", "cpu", "cuda")),
    Argument(
        "decode",
        "auto",
        "How rt2 chooses among the legal action tokens; auto: as suits the checkpoint.",
        ("auto", "greedy", "median", "sample", "beam"),
    ),
    Argument("quantization", "none", "Of rt2's weights.", ("none", "int8", "int4")),
    Argument("plan", "false", "true: rt2 plans in words first, again every 5 s, on /vla/plan.", BOOLEAN, kind=bool),
    Argument("min_legal_mass", "0.0", LEGAL_MASS, kind=float, low=0.0, high=1.0),
    Argument("narrow", "true", "true: rt2 cannot choose motion out of the workspace or too fast.", BOOLEAN, kind=bool),
    Argument("server", "", "Policy server of policy:=remote and edge: its protocol and address.", forms=SERVERS),
    Argument("token_file", "", "File whose first line is the token that the policy server wants; empty: none."),
    Argument("policy_options", "", "Options of the policy alone: 'name=value name=value'; an unknown one is listed."),
    Argument("instruction", "", "First instruction, for example 'pick up the red block'; empty: wait for one."),
    Argument("planner", "none", "Who turns goals into instructions; none: no goals.", PLANNERS),
    Argument("planner_options", "", "Options of the planner alone: 'name=value name=value'."),
    Argument("rate", "5.0", "Policy rate [Hz].", kind=float, low=0.1, high=30.0),
    Argument("controller_rate", "20.0", "Setpoints per second [Hz].", kind=float, low=5.0, high=100.0),
    Argument("replay_file", "", "Recorded action chunks that policy:=replay plays."),
    Argument("record_file", "", "File (.jsonl) to write every action chunk to, for policy:=replay; empty: none."),
    Argument(
        "recordings",
        "",
        "Folder of recorded episodes: recorder_node runs, and `vla record` tells it what; empty: none.",
    ),
    Argument("console", "true", "true: the operator's page in a browser, on this machine alone.", BOOLEAN, kind=bool),
    Argument(
        "console_port", "8600", "TCP port of the page; the next free one where taken.", kind=int, low=0, high=65535
    ),
    Argument(
        "speech",
        "off",
        "Who is heard: off, microphone, topic (vla/audio: the console's microphone and others), or a WAV file's path.",
        pattern=r"off|microphone|topic|.*\.wav|.*\.WAV",
        form="off, microphone, topic or the path of a .wav file",
    ),
    Argument("wrist_camera", "false", "true: the simulated wrist camera runs whatever the map.", BOOLEAN, kind=bool),
    Argument("camera_delay", "0.0", "Delay added to the simulated cameras [s].", kind=float, low=0.0, high=5.0),
    Argument("action_delay", "0.0", "Delay added before simulated motors obey [s].", kind=float, low=0.0, high=5.0),
    Argument(
        "seed", "0", "Seed of the simulated table that is laid out at the start.", kind=int, low=0, high=2**31 - 1
    ),
    Argument("variation", "", "How simulated tables differ, one with each task: words of `vla eval --vary`."),
    Argument(
        "sim_time", "false", "true: the simulator publishes /clock and every node runs on it.", BOOLEAN, kind=bool
    ),
    Argument(
        "real_time_factor", "1.0", "Simulated seconds per wall second, with sim_time.", kind=float, low=0.05, high=20.0
    ),
    Argument(
        "publish_description", "true", "false: the robot's own drivers publish its URDF and frames.", BOOLEAN, kind=bool
    ),
    Argument("headless", "true", "true: no window (sim:=mujoco never has one).", BOOLEAN, kind=bool),
    *DRIVER_ARGUMENTS,
    FAULT_ARGUMENT,
)

RULES = (
    *DRIVER_RULES,
    *ROBOT_RULES,
    Rule(
        {"policy": ("expert",), **NOT_MUJOCO},
        "the expert reads the objects' true poses on sim/scene_state, which only sim:=mujoco publishes",
    ),
    *(
        Rule(
            {"robot": (robot,), "policy": (policy,)},
            f"no {policy} checkpoint ships for {robot}, only for {', '.join(shipped)}; valid are checkpoint:=FOLDER of "
            f"one trained for {robot}, and policy:=expert with sim:=mujoco",
            requires="checkpoint",
        )
        for policy, shipped in SHIPPED.items()
        for robot in ROBOTS
        if robot not in shipped
    ),
    Rule({"policy": ON_A_SERVER}, "it is on another machine, or in another process", requires="server"),
    Rule(
        {"policy": tuple(policy for policy in POLICIES if policy not in ON_A_SERVER)},
        f"only policy:={' and policy:='.join(ON_A_SERVER)} read it",
        keep_default=("server", "token_file"),
    ),
    Rule({"policy": ("remote",)}, "it says what the server sees and says", requires="map"),
    Rule({"policy": ("remote",)}, "the server loads the weights", keep_default=("checkpoint",)),
    Rule({"policy": ("replay",)}, "there is nothing to replay", requires="replay_file"),
    Rule(
        {"policy": tuple(policy for policy in POLICIES if policy != "replay")},
        "only policy:=replay reads it",
        keep_default=("replay_file",),
    ),
    Rule(
        {"policy": ("rt1", "expert", "replay", *ON_A_SERVER)},
        "only policy:=rt2 reads it",
        keep_default=("decode", "quantization", "plan", "min_legal_mass", "narrow"),
    ),
    Rule({"planner": ("none",)}, "there is no planner", keep_default=("planner_options",)),
    Rule(NOT_MUJOCO, "only sim:=mujoco can add a delay", keep_default=("camera_delay", "action_delay")),
    Rule(NOT_MUJOCO, "only sim:=mujoco has one", keep_default=("wrist_camera",)),
    Rule(NOT_MUJOCO, "only sim:=mujoco varies its table", keep_default=("variation",)),
    Rule(NOT_MUJOCO, "only sim:=mujoco offers it", keep_default=("sim_time", "real_time_factor")),
    Rule(GAZEBO, "Gazebo spawns the robot from it", keep_default=("publish_description",)),
    Rule(GAZEBO, "the names of Gazebo's clock, camera and ros2_control are not in one", keep_default=("namespace",)),
    Rule({"sim_time": (False,)}, "the wall clock cannot be scaled", keep_default=("real_time_factor",)),
    *FAULT_RULES,
)

STACK = (
    Node(
        "vla_sim",
        "simulator_node",
        config="simulator_node.yaml",
        parameters={
            "robot": FromArgument("robot"),
            "camera_delay": FromArgument("camera_delay"),
            "action_delay": FromArgument("action_delay"),
            "wrist_view": MapTopic("wrist_camera", "camera/wrist/image_raw"),
            "seed": FromArgument("seed"),
            "variation": FromArgument("variation"),
            "sim_time": FromArgument("sim_time"),
            "real_time_factor": FromArgument("real_time_factor"),
            "task": FromArgument("instruction"),
            "arm_from": ARM_FROM,
            "hand_feedback": HAND_FEEDBACK,
        },
        when=MUJOCO,
        reads=(ARM, HAND),
    ),
    Node(
        "vla_perception",
        "camera_node",
        on_exit=OnExit.RESTART,
        config="camera_node.yaml",
        parameters={**ROBOT, **OBSERVATION_MAP, **SIM_TIME},
        reads=("camera/image_raw", "joint_states", "vla/ee_pose"),
    ),
    Node(
        "vla_controller",
        "controller_node",
        config="controller_node.yaml",
        parameters={**ROBOT, "rate": FromArgument("controller_rate"), **SIM_TIME},
        reads=("joint_states", "vla/action_chunk", "vla/instruction", "vla/operator_heartbeat"),
    ),
    Node(
        "vla_policy",
        "policy_node",
        config="policy_node.yaml",
        parameters={
            "robot": FromArgument("robot"),
            "policy": FromArgument("policy"),
            "checkpoint": Select("policy", WEIGHTS),
            "record": FromArgument("record_file"),
            **OBSERVATION_MAP,
            "device": FromArgument("device"),
            "rate": FromArgument("rate"),
            "decode": FromArgument("decode"),
            "quantization": FromArgument("quantization"),
            "plan": FromArgument("plan"),
            "min_legal_mass": FromArgument("min_legal_mass"),
            "narrow": FromArgument("narrow"),
            "server": FromArgument("server"),
            "token_file": FromArgument("token_file"),
            "policy_options": FromArgument("policy_options"),
            "workspace_low": FileEntry(ROBOT_FILE, "workspace.lower"),
            "workspace_high": FileEntry(ROBOT_FILE, "workspace.upper"),
            "linear_speed": FileEntry(ROBOT_FILE, "tool_speed.linear"),
            "angular_speed": FileEntry(ROBOT_FILE, "tool_speed.angular"),
            **SIM_TIME,
        },
        reads=("vla/observation", "vla/instruction"),
    ),
    Node(
        "vla_operator",
        "instruction_node",
        on_exit=OnExit.RESTART,
        config="instruction_node.yaml",
        parameters={"halt_words": Template("{share}/config/halt_words.yaml"), **SIM_TIME},
        reads=("vla/text_command",),
    ),
    Node(
        "vla_perception",
        "scene_node",
        on_exit=OnExit.RESTART,
        config="scene_node.yaml",
        parameters={**ROBOT, **SIM_TIME},
        unless={"planner": ("none",)},
    ),
    Node(
        "vla_planner",
        "planner_node",
        on_exit=OnExit.RESTART,
        config="planner_node.yaml",
        parameters={
            "planner": FromArgument("planner"),
            "options": FromArgument("planner_options"),
            "robot": FromArgument("robot"),
            **SIM_TIME,
        },
        unless={"planner": ("none",)},
    ),
    Node(
        "vla_recorder",
        "recorder_node",
        on_exit=OnExit.RESTART,
        config="recorder_node.yaml",
        parameters={
            "folder": FromArgument("recordings"),
            "robot": FromArgument("robot"),
            **OBSERVATION_MAP,
            **SIM_TIME,
        },
        needs="recordings",
    ),
    Node(
        "vla_console",
        "console_node",
        on_exit=OnExit.RESTART,
        config="console_node.yaml",
        parameters={**ROBOT, "port": FromArgument("console_port"), **SIM_TIME},
        when={"console": (True,)},
    ),
    Node(
        "vla_speech",
        "speech_node",
        on_exit=OnExit.RESTART,
        config="speech_node.yaml",
        parameters={
            "source": FromArgument("speech"),
            "halt_words": Template("{share}/config/halt_words.yaml"),
            **SIM_TIME,
        },
        unless={"speech": ("off",)},
    ),
    Node(  # a job and no parameter of a node: what restarts must not give it again
        "vla_operator",
        "say",
        name="first_instruction",
        on_exit=OnExit.ONCE,
        arguments=("--first", FromArgument("instruction")),
        needs="instruction",
    ),
    Node(
        "robot_state_publisher",
        "robot_state_publisher",
        on_exit=OnExit.RESTART,
        parameters={"robot_description": Select("robot", DESCRIPTIONS), **SIM_TIME},
        when={"publish_description": (True,)},
        fallback="vla_description",
    ),
)

GRAPH = Graph(ARGUMENTS, STACK + GAZEBO_STACK + DRIVER_STACK + FAULT_STACK, RULES, (check_map,), WITHIN_NAMESPACE)
