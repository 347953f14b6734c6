# SPDX-License-Identifier: Apache-2.0
"""Every parameter of the policy node: its default, unit, range and meaning, in one place."""

from dataclasses import dataclass, field, fields
from typing import Any


def _setting(default: Any, description: str, low: float | None = None, high: float | None = None) -> Any:
    return field(default=default, metadata={"description": description, "low": low, "high": high})


@dataclass(frozen=True, slots=True)
class Settings:
    """Parameters of the policy node; all are read once, at start."""

    policy: str = _setting("rt1", "which policy: the name of a vla_policy.policies entry point")
    checkpoint: str = _setting("", "weights or recording; empty for the policy's default")
    record: str = _setting("", "file (.jsonl) to write every chunk to, for policy replay; empty for none")
    device: str = _setting("cpu", "auto, cpu or cuda")
    robot: str = _setting("", "name of the robot, so that a checkpoint made for another one can be refused")
    rate: float = _setting(5.0, "[Hz] inferences per second; RT-1 was made for 3 to 5", 0.1, 50.0)
    step_period: float = _setting(0.2, "[s] between the steps of a chunk, as in the training data", 0.01, 10.0)
    threads: int = _setting(0, "threads of the numerical library; 0 leaves its own choice", 0, 256)
    max_observation_age: float = _setting(0.5, "[s] an observation older than this is not used", 0.01, 60.0)
    max_instruction_age: float = _setting(60.0, "[s] a task given longer ago than this is not begun", 0.1, 86400.0)
    terminate_chunks: int = _setting(2, "chunks in a row that must say terminate before the task is done", 1, 100)
    observation_topic: str = _setting("/vla/observation", "vla_msgs/Observation in")
    instruction_topic: str = _setting("/vla/instruction", "vla_msgs/Instruction in, and out for the action's goals")
    chunk_topic: str = _setting("/vla/action_chunk", "vla_msgs/ActionChunk out")
    status_topic: str = _setting("/vla/policy_status", "vla_msgs/PolicyStatus out")
    scene_topic: str = _setting("/sim/scene_state", "vla_msgs/SceneState in, for policies that use the scene")
    action_name: str = _setting("/vla/execute_instruction", "vla_msgs/ExecuteInstruction action")

    def __post_init__(self) -> None:
        """Raise ValueError for a number outside its range."""
        for item in fields(self):
            value, low, high = getattr(self, item.name), item.metadata["low"], item.metadata["high"]
            if low is not None and not low <= value <= high:
                raise ValueError(f"{item.name} is {value}; valid is {low} to {high}")
