# SPDX-License-Identifier: Apache-2.0
"""Closed-loop evaluation treats a policy as the graph does: every mode of action, refused actions, errors, the end."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from vla_core.action import ActionChunk, ActionMode, ActionStep, DeltaReference
from vla_core.rotation import Pose
from vla_policy.errors import ActionRefusedError, ObservationError
from vla_policy.loading import policy_settings
from vla_policy.policy import Observation, Policy
from vla_training.evaluate import command, policy_driver
from vla_training.evaluate.command import EvalSettings, Evaluator, wilson

Act = Callable[[Observation, int], ActionChunk]


class Acting(Policy):
    """A policy that is one function of the observation and the number of the inference."""

    name = "acting"
    uses_scene = True  # so that nothing is rendered

    def __init__(self, act: Act) -> None:
        self._act, self._count = act, 0

    def reset(self, instruction: str) -> None:
        self._count = 0

    def infer(self, observation: Observation) -> ActionChunk:
        self._count += 1
        return self._act(observation, self._count)


def chunk(observation: Observation, mode: ActionMode, step: ActionStep, names: tuple[str, ...] = ()) -> ActionChunk:
    return ActionChunk(observation.stamp, mode, DeltaReference.OBSERVED, 0.2, (step,), names)


@pytest.fixture
def evaluated(monkeypatch: pytest.MonkeyPatch) -> Callable[..., command.EpisodeResult]:
    def run(act: Act, seconds: float = 2.0) -> command.EpisodeResult:
        monkeypatch.setattr(policy_driver, "load_policy", lambda settings: Acting(act))
        monkeypatch.setattr(command, "TIME_LIMIT", seconds)
        evaluator = Evaluator(EvalSettings(policy_settings("acting", "fr3"), families=("pick",)))
        start = evaluator.lockstep.controller
        result = evaluator.run(0)
        run.moved = float(np.abs(start.watch.q - start.config.home).max())  # type: ignore[attr-defined]
        evaluator.close()
        return result

    return run


def joint_step(observation: Observation, mode: ActionMode) -> ActionStep:
    wanted = observation.joint_position[:7].copy()
    wanted[0] += 0.05
    return ActionStep(joints=wanted if mode == ActionMode.JOINT_POSITION else np.eye(7)[0] * 0.05)


@pytest.mark.parametrize("mode", [ActionMode.JOINT_POSITION, ActionMode.JOINT_DELTA, ActionMode.JOINT_VELOCITY])
def test_joint_chunks_move_the_arm(evaluated, mode):
    result = evaluated(lambda seen, _: chunk(seen, mode, joint_step(seen, mode), seen.joint_names[:7]))
    assert not result.refusals
    assert evaluated.moved > 0.03


def test_pose_chunks_move_the_arm(evaluated):
    def act(seen: Observation, _: int) -> ActionChunk:
        target = Pose(seen.ee_position + np.array([0.0, 0.03, 0.0]), seen.ee_quaternion_xyzw)
        return chunk(seen, ActionMode.EE_POSE, ActionStep(pose=target))

    result = evaluated(act)
    assert not result.refusals
    assert evaluated.moved > 0.03


def test_what_the_controller_refuses_is_counted(evaluated):
    step = ActionStep(translation=np.array([0.0, 0.5, 0.0]))
    result = evaluated(lambda seen, _: chunk(seen, ActionMode.EE_DELTA, step))
    assert result.refusals["step_too_large"] in (10, 11)  # 2 s at 5 Hz; simulated time is rounded
    assert not result.success


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ActionRefusedError("too little is legal"), "action refused: too little is legal"),
        (ObservationError("too dark"), "observation not usable: too dark"),
        (RuntimeError("CUDA out of memory"), "inference failed: RuntimeError: CUDA out of memory"),
    ],
)
def test_errors_of_the_policy_end_no_evaluation(evaluated, error, reason):
    def act(seen: Observation, count: int) -> ActionChunk:
        raise error

    result = evaluated(act)
    assert result.reason == reason
    assert not result.success


def test_a_refused_action_is_followed_by_the_next_one(evaluated):
    def act(seen: Observation, count: int) -> ActionChunk:
        if count == 2:
            raise ActionRefusedError("once")
        return chunk(seen, ActionMode.EE_DELTA, ActionStep(translation=np.array([0.0, 0.02, 0.0])))

    assert evaluated(act).reason == ""
    assert evaluated.moved > 0.05


def test_a_policy_that_ends_its_task_is_asked_no_more(evaluated):
    counts: list[int] = []

    def act(seen: Observation, count: int) -> ActionChunk:
        counts.append(count)
        return chunk(seen, ActionMode.EE_DELTA, ActionStep(terminate=True))

    result = evaluated(act, seconds=30.0)
    assert counts == [1, 2]  # terminate_chunks in a row
    assert result.terminated
    assert result.seconds < 5.0


def test_a_chunk_that_must_not_be_sent_is_an_error_of_the_policy(evaluated):
    step = ActionStep(translation=np.array([math.nan, 0.0, 0.0]))
    assert "valid are finite numbers" in evaluated(lambda seen, _: chunk(seen, ActionMode.EE_DELTA, step)).reason


def test_the_policy_gets_the_limits_of_the_launched_graph():
    settings = policy_settings("rt2", "fr3")
    assert len(settings.workspace_low) == len(settings.workspace_high) == 3
    assert settings.linear_speed > 0.0


def test_wilson_interval():
    assert wilson(0, 0) == (0.0, 1.0)
    low, high = wilson(98, 100)
    assert (round(low, 3), round(high, 3)) == (0.930, 0.994)
