# SPDX-License-Identifier: Apache-2.0
"""Limits of the executive: every goal ends, whatever the mind says and whatever the policy does."""

from __future__ import annotations

from dataclasses import dataclass, fields

from vla_core.settings import check_settings, setting


@dataclass(frozen=True, slots=True)
class ExecutiveSettings:
    """Budgets of one goal. Raises SettingsError for a value out of its range."""

    goal_timeout: float = setting(900.0, "[s] for a goal that names no timeout", 1.0, 36000.0)
    step_timeout: float = setting(25.0, "[s] for one step, after which it is checked", 1.0, 600.0)
    settle_time: float = setting(1.5, "[s] for which a step has to look done before the policy is halted", 0.0, 60.0)
    look_time: float = setting(0.6, "[s] between a step's end and its check: for a picture of after it", 0.0, 60.0)
    answer_timeout: float = setting(120.0, "[s] that a question waits for the operator", 1.0, 36000.0)
    max_attempts: int = setting(3, "of one step in a row", 1, 20)
    max_steps: int = setting(60, "steps begun for one goal", 1, 1000)
    max_replies: int = setting(2, "further replies after an invalid one", 0, 10)
    replan: bool = setting(True, "false: the first plan is executed whatever the verdicts, for comparison")

    def __post_init__(self) -> None:
        """Check ranges."""
        check_settings(self)


@dataclass(frozen=True, slots=True)
class PlannerSettings:
    """Parameters of planner_node. Raises SettingsError for a value out of its range."""

    planner: str = setting("symbols", "the mind: symbols, gemini, openai, or an entry point of vla_planner.planners")
    options: str = setting("", "of the mind alone: 'name=value name=value'")
    robot: str = setting("", "name of the robot")
    action_name: str = setting("vla/execute_goal", "vla_msgs/ExecuteGoal, served")
    instruction_action: str = setting("vla/execute_instruction", "vla_msgs/ExecuteInstruction, called")
    status_topic: str = setting("vla/goal_status", "vla_msgs/GoalStatus out")
    text_topic: str = setting("vla/goal_text", "std_msgs/String in: corrections, answers and questions about the goal")
    scene_topic: str = setting("vla/perceived_scene", "vla_msgs/PerceivedScene in")
    observation_topic: str = setting("vla/observation", "vla_msgs/Observation in: picture, tool and gripper")
    instruction_topic: str = setting("vla/instruction", "vla_msgs/Instruction in: whether somebody else took over")
    controller_status_topic: str = setting("vla/controller_status", "vla_msgs/ControllerStatus in: e-stop, take-over")
    side_line: float = setting(0.15, "[m] |y| beyond which an object is on a side", 0.01, 2.0)
    scene_timeout: float = setting(5.0, "[s] without a perceived scene, after which a goal fails", 0.5, 600.0)
    goal_timeout: float = setting(900.0, "[s] for a goal that names no timeout", 1.0, 36000.0)
    step_timeout: float = setting(25.0, "[s] for one step, after which it is checked", 1.0, 600.0)
    settle_time: float = setting(1.5, "[s] for which a step has to look done before the policy is halted", 0.0, 60.0)
    look_time: float = setting(0.6, "[s] between a step's end and its check: for a picture of after it", 0.0, 60.0)
    answer_timeout: float = setting(120.0, "[s] that a question waits for the operator", 1.0, 36000.0)
    max_attempts: int = setting(3, "of one step in a row", 1, 20)
    max_steps: int = setting(60, "steps begun for one goal", 1, 1000)
    max_replies: int = setting(2, "further replies after an invalid one", 0, 10)

    def __post_init__(self) -> None:
        """Check ranges."""
        check_settings(self)

    @property
    def executive(self) -> ExecutiveSettings:
        """The executive's part of them."""
        names = [item.name for item in fields(ExecutiveSettings) if item.name != "replan"]
        return ExecutiveSettings(**{name: getattr(self, name) for name in names})
