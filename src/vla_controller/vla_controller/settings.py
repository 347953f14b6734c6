# SPDX-License-Identifier: Apache-2.0
"""Every tunable number of the controller and its node that does not depend on the robot, in one place."""

from __future__ import annotations

import math
from dataclasses import dataclass

from vla_core.settings import SettingsError, check_settings, setting

JOININGS = ("latest", "weighted", "ensemble")
AGGREGATES = ("weighted_average", "latest_only", "average", "conservative")
LATENCIES = ("adaptive", "fixed")
GRIPPER_OUTPUTS = ("joint_trajectory", "gripper_command", "parallel_gripper_command")


@dataclass(frozen=True, slots=True)
class ControllerSettings:
    """Timing and gate thresholds."""

    latency: str = setting("adaptive", "the latency budget: follows a slow policy, or is fixed", choices=LATENCIES)
    latency_budget: float = setting(0.3, "[s] observation stamp to the moment step 0 is due; at least", 0.0, 2.0)
    latency_budget_most: float = setting(2.5, "[s] likewise, at most, for a policy of 1 Hz", 0.0, 5.0)
    joining: str = setting("latest", "how a chunk is joined to what earlier ones said", choices=JOININGS)
    joining_aggregate: str = setting("weighted_average", "of joining:=weighted, by LeRobot's names", choices=AGGREGATES)
    joining_decay: float = setting(0.01, "of joining:=ensemble: weights are exp(-decay * i), 0 the oldest", -10.0, 10.0)
    smoothing: float = setting(0.06, "[s] over which corners of the reference are rounded", 0.02, 1.0)
    max_chunk_age: float = setting(1.5, "[s] observation stamp to arrival of a chunk", 0.05, 10.0)
    max_chunk_lead: float = setting(0.05, "[s] how far a chunk's stamp may lie in the future", 0.0, 1.0)
    max_step_translation: float = setting(0.15, "[m] tool translation of one step", 0.001, 1.0)
    max_step_rotation: float = setting(math.pi / 3.0, "[rad] tool or joint rotation of one step", 0.01, math.pi)
    max_jump_translation: float = setting(0.3, "[m] from the commanded pose to a chunk's first target", 0.001, 2.0)
    max_jump_rotation: float = setting(math.pi / 2.0, "[rad] likewise, tool or joint", 0.01, math.pi)
    max_period: float = setting(2.0, "[s] between the steps of a chunk", 0.01, 10.0)
    max_steps: int = setting(200, "steps in a chunk", 1, 10000)
    joint_state_timeout: float = setting(0.5, "[s] without a joint state after which the arm stops", 0.05, 5.0)
    start_agreement: float = setting(0.5, "[s] of joint states of a standing arm before the first setpoint", 0.1, 60.0)
    posture_agreement: float = setting(2.0, "[s] likewise, before they are believed again after a doubt", 0.5, 60.0)
    believe_jump_after: float = setting(
        0.0, "[s] likewise, after which setpoints restart elsewhere; 0: after ~/confirm_posture alone", 0.0, 3600.0
    )
    max_clock_jump: float = setting(1.0, "[s] of the clock between two ticks, after which the arm stops", 0.1, 60.0)
    start_tolerance: float = setting(0.05, "[rad] between setpoint and first point of a trajectory", 0.001, 1.0)
    path_tolerance: float = setting(0.3, "[rad] between planned and measured joints of a trajectory", 0.001, 3.0)
    goal_tolerance: float = setting(0.02, "[rad] likewise at its end", 0.0001, 1.0)
    follow_tolerance: float = setting(0.3, "[rad] between setpoint and arm, more while it moves", 0.05, 10.0)
    follow_lag: float = setting(0.15, "[s] by which the arm may be late behind its setpoints", 0.02, 2.0)
    follow_margin: float = setting(0.05, "[rad] by which it may be beside them", 0.005, 1.0)
    command_lead: float = setting(
        0.02,
        "[s] in which a command has to arrive, before it differs from the one before",
        0.02,
        0.3,
    )
    goal_time: float = setting(1.0, "[s] after a trajectory's end to come within goal_tolerance", 0.05, 60.0)

    teleop_timeout: float = setting(0.25, "[s] without a command of a person's device after which it stops", 0.05, 1.0)
    teleop_linear_speed: float = setting(0.25, "[m/s] of the tool at most, led by a person", 0.005, 1.0)
    teleop_angular_speed: float = setting(1.0, "[rad/s] likewise", 0.02, 3.0)
    teleop_ramp: float = setting(0.2, "[s] from rest to these speeds", 0.05, 2.0)

    def __post_init__(self) -> None:
        """Raise SettingsError for a number outside its range."""
        check_settings(self)
        if self.latency_budget_most < self.latency_budget:
            least, most = self.latency_budget, self.latency_budget_most
            raise SettingsError(f"parameter latency_budget_most is {most}; valid: at least latency_budget, {least}")


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """What the node alone needs."""

    robot_config: str = setting("fr3", "robot: bare name of an installed description, or path of a yaml file")
    rate: float = setting(20.0, "[Hz] setpoints per second", 5.0, 100.0)
    realtime: bool = setting(True, "ask the system for real-time priority, go on without where it refuses")
    joint_state_topic: str = setting("joint_states", "sensor_msgs/JointState in")
    chunk_topic: str = setting("vla/action_chunk", "vla_msgs/ActionChunk in")
    instruction_topic: str = setting("vla/instruction", "vla_msgs/Instruction in")
    heartbeat_topic: str = setting("vla/operator_heartbeat", "vla_msgs/OperatorHeartbeat in")
    operator_timeout: float = setting(
        0.0, "[s] without instruction_node after which the arm halts; 0: none needed", 0.0, 60.0
    )
    teleop_topic: str = setting("vla/teleop_command", "vla_msgs/TeleopCommand in")
    status_topic: str = setting("vla/controller_status", "vla_msgs/ControllerStatus out, every tick")
    ee_pose_topic: str = setting("vla/ee_pose", "geometry_msgs/PoseStamped out, for joint states that are believed")
    ee_pose_rate: float = setting(200.0, "[Hz] at most, of the tool's pose", 1.0, 1000.0)
    arm_command_topic: str = setting("", "setpoints out; empty for the output's or the robot's own")
    gripper_command_topic: str = setting("", "gripper's topic or action out; empty for the robot's own")
    gripper_output: str = setting(
        "joint_trajectory", "what gripper_command_topic takes: see docs/controller.md", choices=GRIPPER_OUTPUTS
    )
    gripper_effort: float = setting(20.0, "[N] at most, for a gripper that is an action", 0.1, 500.0)
    base_command_topic: str = setting("", "geometry_msgs/Twist out; empty for the robot's own")
    output: str = setting("joint_trajectory", "what arm_command_topic takes: see docs/controller.md")
    motion_budget: float = setting(0.6, "[s] camera to motion; more at the 99th percentile is a warning", 0.05, 5.0)
    collision_check: str = setting("auto", "ask MoveIt before a chunk is released: auto (where it runs), off, required")
    collision_service: str = setting("check_state_validity", "moveit_msgs/GetStateValidity that is asked")
    collision_group: str = setting("", "MoveIt's planning group; empty for the whole robot")
    collision_budget: float = setting(0.1, "[s] for MoveIt's answer, after which the chunk is refused", 0.01, 1.0)

    def __post_init__(self) -> None:
        """Raise SettingsError for a number outside its range."""
        check_settings(self)
