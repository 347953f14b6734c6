# SPDX-License-Identifier: Apache-2.0
"""Every parameter of the policy node: its default, unit, range and meaning, in one place."""

from dataclasses import dataclass

from vla_core.settings import SettingsError, check_settings, setting

DECODE = ("auto", "greedy", "median", "sample", "beam")
DTYPES = ("auto", "float32", "bfloat16", "float16")
QUANTIZATION = ("none", "int8", "int4")
ENGINES = ("auto", "eager", "openvino")


@dataclass(frozen=True, slots=True)
class Settings:
    """Parameters of the policy node; all are read once, at start."""

    policy: str = setting("rt1", "which policy: the name of a vla_policy.policies entry point")
    checkpoint: str = setting("", "weights or recording; empty for the policy's default")
    record: str = setting("", "file (.jsonl) to write every chunk to, for policy replay; empty for none")
    device: str = setting("cpu", "auto, cpu or cuda")
    robot: str = setting("", "name of the robot, so that a checkpoint made for another one can be refused")
    rate: float = setting(5.0, "[Hz] inferences per second; RT-1 was made for 3 to 5", 0.1, 50.0)
    observation_map: str = setting("", "observation map: path, or bare name such as rt1; empty: any images")
    step_period: float = setting(0.0, "[s] between the steps of a chunk; 0: as the map says, 0.2 without", 0.0, 10.0)
    threads: int = setting(0, "threads of the numerical library; 0 leaves its own choice", 0, 256)
    latency_budget: float = setting(0.3, "[s] the controller's: when steps of the chunk before are due", 0.0, 2.0)
    engine: str = setting("auto", "what computes the networks on a CPU; auto: compiled if prepared", choices=ENGINES)
    max_observation_age: float = setting(0.5, "[s] an observation older than this is not used", 0.01, 60.0)
    max_instruction_age: float = setting(60.0, "[s] a task given longer ago than this is not begun", 0.1, 86400.0)
    terminate_chunks: int = setting(2, "chunks in a row that must say terminate before the task is done", 1, 100)
    ask_timeout: float = setting(30.0, "[s] after which a question counts as not answered", 0.1, 3600.0)
    policy_options: str = setting("", "options of this policy alone: name=value name=value; an unknown one is listed")
    server: str = setting("", "for policy remote: address of the policy server, such as ws://localhost:8000")
    token_file: str = setting("", "for policy remote: file whose first line is the token that the server wants")
    # For policies that are language models (rt2); others ignore what follows, down to angular_speed.
    decode: str = setting("auto", "how action tokens are chosen among the legal ones", choices=DECODE)
    temperature: float = setting(1.0, "of decode:=sample; below 1 keeps to what is likely", 0.01, 100.0)
    beams: int = setting(4, "of decode:=beam: action strings that are followed at a time", 1, 64)
    dtype: str = setting("auto", "numbers that the model computes with; auto: as it was saved", choices=DTYPES)
    quantization: str = setting("none", "of the model's weights", choices=QUANTIZATION)
    plan: bool = setting(False, "plan in words first, again every 5 s; the checkpoint must have learnt it")
    min_legal_mass: float = setting(0.0, "an action is refused when the model gives less to legal tokens", 0.0, 1.0)
    compile: bool = setting(False, "compile the model for the GPU; starting takes minutes longer")
    narrow: bool = setting(True, "never choose motion beyond the limits below, as far as they are set")
    workspace_low: tuple[float, ...] = setting((), "[m] x, y, z in the robot's base frame; empty for no limit")
    workspace_high: tuple[float, ...] = setting((), "[m] x, y, z in the robot's base frame; empty for no limit")
    linear_speed: float = setting(0.0, "[m/s] of the tool over one step; 0 for no limit", 0.0, 100.0)
    angular_speed: float = setting(0.0, "[rad/s] of the tool over one step; 0 for no limit", 0.0, 100.0)
    observation_topic: str = setting("vla/observation", "vla_msgs/Observation in")
    instruction_topic: str = setting("vla/instruction", "vla_msgs/Instruction in, and out for the action's goals")
    chunk_topic: str = setting("vla/action_chunk", "vla_msgs/ActionChunk out")
    status_topic: str = setting("vla/policy_status", "vla_msgs/PolicyStatus out")
    plan_topic: str = setting("vla/plan", "vla_msgs/Plan out, for policies that plan")
    scene_topic: str = setting("sim/scene_state", "vla_msgs/SceneState in, for policies that use the scene")
    ask_service: str = setting("vla/ask", "vla_msgs/Ask service: questions about what the camera sees")

    def __post_init__(self) -> None:
        """Raise SettingsError for a value outside its range or choices."""
        check_settings(self)
        for name in ("workspace_low", "workspace_high"):
            if len(getattr(self, name)) not in (0, 3):
                raise SettingsError(
                    f"parameter {name} has {len(getattr(self, name))} numbers; valid: three (x, y, z) or none"
                )
