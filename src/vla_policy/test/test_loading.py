# SPDX-License-Identifier: Apache-2.0
"""What a policy's factory is given for the node's parameters."""

import math

import pytest
from vla_core.observation_map.presets import load_map
from vla_policy.errors import ConfigurationError
from vla_policy.loading import OPTIONS, load_policy, needed_cameras, policy_config
from vla_policy.policy import Answer, Observation, Policy
from vla_policy.replay.policy import RecordingPolicy
from vla_policy.settings import Settings


def test_nothing_is_limited_unless_it_is_set() -> None:
    config = policy_config(Settings())
    assert config.limits is None
    assert set(config.options) == set(OPTIONS)
    assert config.options["quantization"] == "none"


def test_limits_that_are_not_set_are_infinite() -> None:
    limits = policy_config(Settings(workspace_low=(0.0, -1.0, 0.0))).limits
    assert limits is not None
    assert (limits.workspace_low, limits.workspace_high) == ((0.0, -1.0, 0.0), (math.inf,) * 3)
    assert (limits.linear_speed, limits.angular_speed) == (math.inf, math.inf)
    limits = policy_config(Settings(angular_speed=2.0)).limits
    assert limits is not None
    assert (limits.workspace_low, limits.angular_speed) == ((-math.inf,) * 3, 2.0)


def test_narrowing_can_be_switched_off_with_limits_set() -> None:
    assert policy_config(Settings(narrow=False, linear_speed=1.0, workspace_low=(0.0, 0.0, 0.0))).limits is None


def test_a_workspace_without_inside_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="low below high"):
        policy_config(Settings(workspace_low=(0.0, 0.0, 1.0), workspace_high=(1.0, 1.0, 0.0)))


def test_a_record_that_cannot_be_written_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    class Knows(Policy):
        def reset(self, instruction: str) -> None: ...

        def infer(self, observation: Observation) -> None: ...  # type: ignore[override]

        def ask(self, observation: Observation, question: str) -> Answer:
            return Answer(question.upper())

    monkeypatch.setattr("vla_policy.loading.create", lambda name, config: Knows())
    with pytest.raises(ConfigurationError, match="cannot be written"):
        load_policy(Settings(record="/nowhere/at/all.jsonl"))
    recorded = load_policy(Settings(record=f"{tmp_path}/a.jsonl"))
    assert isinstance(recorded, RecordingPolicy)
    assert recorded.ask(None, "what?").text == "WHAT?"  # type: ignore[arg-type]


def test_the_map_sets_period_and_cameras_and_is_bound_to_the_robot() -> None:
    config = policy_config(Settings(observation_map="openpi_droid", robot="fr3"))
    assert config.observation_map is not None
    assert config.observation_map.joint_names == tuple(f"fr3_joint{k}" for k in range(1, 8))
    assert config.period_s == config.observation_map.period_s == 0.066667
    assert policy_config(Settings()).period_s == 0.2
    assert policy_config(Settings(step_period=0.1)).period_s == 0.1
    with pytest.raises(ConfigurationError, match=r"step_period is 0.1 s; valid with map rt1 is 0: its period_s is 0.2"):
        policy_config(Settings(observation_map="rt1", step_period=0.1))
    with pytest.raises(ConfigurationError, match="unknown observation map 'rt9'; valid: gr00t"):
        policy_config(Settings(observation_map="rt9"))


def test_an_observation_needs_the_cameras_of_the_policy_or_else_of_the_map() -> None:
    class Sees(Policy):
        def reset(self, instruction: str) -> None: ...

        def infer(self, observation: Observation) -> None: ...  # type: ignore[override]

    policy, droid = Sees(), load_map("openpi_droid")
    assert needed_cameras(policy, None) == ()
    assert needed_cameras(policy, droid) == ("front", "wrist")
    policy.camera_names = ("front",)
    assert needed_cameras(policy, droid) == ("front",)
