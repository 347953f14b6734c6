# SPDX-License-Identifier: Apache-2.0
"""Recording and playing back."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from vla_core.action import ActionChunk, ActionMode, ActionStep, DeltaReference
from vla_policy.errors import CheckpointError, InstructionError
from vla_policy.policy import Observation, Policy, PolicyConfig
from vla_policy.replay.policy import RecordingPolicy, create
from vla_policy.replay.recording import chunk_from_dict, chunk_to_dict


def observation(stamp: float) -> Observation:
    return Observation(
        stamp,
        {"front": np.zeros((4, 6, 3), np.uint8)},
        ("j1",),
        np.zeros(1),
        np.zeros(3),
        np.array([0.0, 0.0, 0.0, 1.0]),
        math.nan,
    )


class Wave(Policy):
    """Makes different chunks of different length each time, with tokens."""

    name = "wave"

    def __init__(self) -> None:
        self._count = 0

    def reset(self, instruction: str) -> None:
        if "dance" in instruction:
            raise InstructionError("valid is to wave")
        self._count = 0

    def infer(self, observation: Observation) -> ActionChunk:
        self._count += 1
        rng = np.random.default_rng(self._count)
        steps = tuple(
            ActionStep(
                rng.normal(size=3), rng.normal(size=3), gripper=math.nan if k else 0.25, joints=rng.normal(size=7)
            )
            for k in range(self._count)
        )
        return ActionChunk(
            observation.stamp,
            ActionMode.EE_DELTA,
            DeltaReference.COMMANDED,
            0.2,
            steps,
            tokens=rng.integers(0, 256, (self._count, 2)).astype(np.uint16),
            token_probabilities=rng.random((self._count, 2)).astype(np.float32),
            legal_mass=np.where(rng.random((self._count, 2)) < 0.3, np.nan, 0.5).astype(np.float32),
            plan=f"plan {self._count}",
            dimension_names=("x", "y"),
            joint_names=tuple("abcdefg"),
        )


def record(path: Path, instructions: tuple[str, ...] = ("wave left", "wave right"), chunks: int = 3) -> list[str]:
    policy, made = RecordingPolicy(Wave(), path), []
    for instruction in instructions:
        policy.reset(instruction)
        made += [json.dumps(chunk_to_dict(policy.infer(observation(float(i))))) for i in range(chunks)]
    policy.close()
    return made


def test_a_replay_makes_the_very_same_chunks_and_then_terminates(tmp_path: Path) -> None:
    made = record(tmp_path / "a.jsonl")
    policy = create(PolicyConfig(checkpoint=str(tmp_path / "a.jsonl")))
    for episode, instruction in enumerate(("wave left", "WAVE RIGHT ")):
        policy.reset(instruction)
        played = [json.dumps(chunk_to_dict(policy.infer(observation(float(i))))) for i in range(3)]
        assert played == made[episode * 3 : episode * 3 + 3]
        for _ in range(2):
            last = policy.infer(observation(9.0))
            assert last.terminate
            assert last.stamp == 9.0
            assert not last.steps[0].translation.any()


def test_the_stamp_is_that_of_the_observation_now(tmp_path: Path) -> None:
    record(tmp_path / "a.jsonl")
    policy = create(PolicyConfig(checkpoint=str(tmp_path / "a.jsonl")))
    policy.reset("wave left")
    assert policy.infer(observation(77.0)).stamp == 77.0


def test_an_instruction_without_a_recording_is_refused_with_the_list(tmp_path: Path) -> None:
    record(tmp_path / "a.jsonl")
    policy = create(PolicyConfig(checkpoint=str(tmp_path / "a.jsonl")))
    with pytest.raises(InstructionError, match="'wave left', 'wave right'"):
        policy.reset("bow")


def test_an_episode_without_instruction_serves_any(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    record(path, ("wave left",))
    path.write_text(path.read_text().replace('"wave left"', "null"))
    policy = create(PolicyConfig(checkpoint=str(path)))
    policy.reset("anything at all")
    assert not policy.infer(observation(0.0)).terminate


def test_the_recorder_passes_refusals_on_and_does_not_record_them(tmp_path: Path) -> None:
    policy = RecordingPolicy(Wave(), tmp_path / "a.jsonl")
    with pytest.raises(InstructionError):
        policy.reset("dance")
    assert len((tmp_path / "a.jsonl").read_text().splitlines()) == 1
    assert policy.name == "wave"
    assert policy.image_size is None
    assert not policy.uses_scene


def test_chunks_survive_json_exactly() -> None:
    chunk = Wave().infer(observation(1.5))
    again = chunk_from_dict(json.loads(json.dumps(chunk_to_dict(chunk))))
    assert chunk_to_dict(again) == chunk_to_dict(chunk)
    assert again.tokens is not None
    assert again.tokens.dtype == np.uint16
    np.testing.assert_array_equal(again.steps[0].translation, chunk.steps[0].translation)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda text: "", "format"),
        (lambda text: text.replace("vla_recording/1", "other"), "vla_recording/1"),
        (lambda text: text[: len(text) - 40], "line"),
        (lambda text: text.splitlines()[0], "no episode"),
        (lambda text: text.replace('"period_s": 0.2', '"period_s": -1'), "above 0"),
        (lambda text: text.replace('"period_s": 0.2', '"period_s": NaN'), "above 0"),
        (lambda text: text.replace('"ee_delta"', '"flying"'), "FLYING"),
        (lambda text: text.replace('"steps"', '"stops"'), "steps"),
        (lambda text: text.replace('"wave left"', "7"), "text or null"),
        (lambda text: text.replace('{"instruction": "wave left"}', "[]"), "object"),
        (lambda text: text.replace('{"instruction": "wave left"}\n', ""), "before the first instruction"),
    ],
)
def test_a_damaged_recording_is_refused_with_file_and_reason(tmp_path: Path, spoil, message: str) -> None:
    path = tmp_path / "a.jsonl"
    record(path)
    path.write_text(spoil(path.read_text()))
    with pytest.raises(CheckpointError, match=message) as caught:
        create(PolicyConfig(checkpoint=str(path)))
    assert "a.jsonl" in str(caught.value)


def test_a_missing_recording_a_folder_and_none_at_all_are_refused(tmp_path: Path) -> None:
    for checkpoint in (str(tmp_path / "none.jsonl"), str(tmp_path), ""):
        with pytest.raises(CheckpointError, match="recording"):
            create(PolicyConfig(checkpoint=checkpoint))
    (tmp_path / "binary.jsonl").write_bytes(b"\xff\xfe\x00" * 100)
    with pytest.raises(CheckpointError, match="cannot be read"):
        create(PolicyConfig(checkpoint=str(tmp_path / "binary.jsonl")))
