# SPDX-License-Identifier: Apache-2.0
"""Every parameter of the policy node: its default, unit, range and meaning, in one place."""

from dataclasses import dataclass, field, fields
from typing import Any

DECODE = ("auto", "greedy", "median", "sample", "beam")
DTYPES = ("auto", "float32", "bfloat16", "float16")
QUANTIZATION = ("none", "int8", "int4")


def _setting(
    default: Any, description: str, low: float | None = None, high: float | None = None, choices: tuple[str, ...] = ()
) -> Any:
    text = f"{description}; one of {', '.join(choices)}" if choices else description
    return field(default=default, metadata={"description": text, "low": low, "high": high, "choices": choices})


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
    ask_timeout: float = _setting(30.0, "[s] after which a question counts as not answered", 0.1, 3600.0)
    # For policies that are language models (rt2); others ignore what follows, down to angular_speed.
    decode: str = _setting("auto", "how action tokens are chosen among the legal ones", choices=DECODE)
    temperature: float = _setting(1.0, "of decode:=sample; below 1 keeps to what is likely", 0.01, 100.0)
    beams: int = _setting(4, "of decode:=beam: action strings that are followed at a time", 1, 64)
    dtype: str = _setting("auto", "numbers that the model computes with; auto: as it was saved", choices=DTYPES)
    quantization: str = _setting("none", "of the model's weights", choices=QUANTIZATION)
    plan: bool = _setting(False, "plan in words first, anew every 5 s; the checkpoint must have learnt it")
    min_legal_mass: float = _setting(0.0, "an action is refused when the model gives less to legal tokens", 0.0, 1.0)
    compile: bool = _setting(False, "compile the model for the GPU; starting takes minutes longer")
    narrow: bool = _setting(True, "never choose motion beyond the limits below, as far as they are set")
    workspace_low: tuple[float, ...] = _setting((), "[m] x, y, z in the robot's base frame; empty for no limit")
    workspace_high: tuple[float, ...] = _setting((), "[m] x, y, z in the robot's base frame; empty for no limit")
    linear_speed: float = _setting(0.0, "[m/s] of the tool over one step; 0 for no limit", 0.0, 100.0)
    angular_speed: float = _setting(0.0, "[rad/s] of the tool over one step; 0 for no limit", 0.0, 100.0)
    observation_topic: str = _setting("/vla/observation", "vla_msgs/Observation in")
    instruction_topic: str = _setting("/vla/instruction", "vla_msgs/Instruction in, and out for the action's goals")
    chunk_topic: str = _setting("/vla/action_chunk", "vla_msgs/ActionChunk out")
    status_topic: str = _setting("/vla/policy_status", "vla_msgs/PolicyStatus out")
    plan_topic: str = _setting("/vla/plan", "vla_msgs/Plan out, for policies that plan")
    scene_topic: str = _setting("/sim/scene_state", "vla_msgs/SceneState in, for policies that use the scene")
    action_name: str = _setting("/vla/execute_instruction", "vla_msgs/ExecuteInstruction action")
    ask_service: str = _setting("/vla/ask", "vla_msgs/Ask service: questions about what the camera sees")

    def __post_init__(self) -> None:
        """Raise ValueError for a value outside its range or choices."""
        for item in fields(self):
            value, low, high = getattr(self, item.name), item.metadata["low"], item.metadata["high"]
            choices = item.metadata["choices"]
            if low is not None and not low <= value <= high:
                raise ValueError(f"{item.name} is {value}; valid is {low} to {high}")
            if choices and value not in choices:
                raise ValueError(f"{item.name} is {value!r}; valid is one of {', '.join(choices)}")
            if isinstance(item.default, tuple) and len(value) not in (0, 3):
                raise ValueError(f"{item.name} has {len(value)} numbers; valid is three (x, y, z) or none")
