# SPDX-License-Identifier: Apache-2.0
"""`vla eval questions`: the questions are put about real scenes, and what counts as right."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from vla_core.action import ActionChunk
from vla_policy.policy import Answer, Observation, Policy
from vla_training.evaluate.questions import Answered, add_answered, ask_scenes, summarise
from vla_training.rt1.card import CARD
from vla_training.rt2.samples.scene_text import KINDS


class SaysYes(Policy):
    """Answers everything with yes, and remembers what it was shown."""

    def __init__(self) -> None:
        self.seen: list[Observation] = []

    def reset(self, instruction: str) -> None:
        """Nothing to begin."""

    def infer(self, observation: Observation) -> ActionChunk:
        """It does not act."""
        raise NotImplementedError

    def ask(self, observation: Observation, question: str) -> Answer:
        """Yes."""
        self.seen.append(observation)
        return Answer("Yes", 1.0)


@pytest.fixture(scope="module")
def asked() -> tuple[SaysYes, list[Answered]]:
    policy = SaysYes()
    return policy, list(ask_scenes(policy, "fr3", scenes=3, per_scene=8, seed=1))


def test_every_scene_is_asked_about_with_its_picture(asked: tuple[SaysYes, list[Answered]]) -> None:
    policy, answers = asked
    assert len(policy.seen) == len(answers) > 16
    assert all(observation.image.shape == (128, 160, 3) and observation.image.std() > 5 for observation in policy.seen)
    assert len({observation.image.tobytes() for observation in policy.seen}) == 3


def test_yes_is_right_where_it_is_true_and_nowhere_else(asked: tuple[SaysYes, list[Answered]]) -> None:
    _, answers = asked
    assert [each.right for each in answers] == [each.wanted == "yes" for each in answers]
    report = summarise("yes", "", "fr3", 1, answers)
    assert report["asked"] == len(answers) == sum(row["asked"] for row in report["kinds"].values())
    assert set(report["kinds"]) <= set(KINDS)
    assert 0.0 < report["share"] < 0.7


@pytest.mark.parametrize(("said", "right"), [("the red block", True), ("The  red block ", True), ("red block", False)])
def test_an_answer_counts_word_for_word(said: str, right: bool) -> None:
    assert Answered("held", "what?", "the red block", said).right is right


def test_a_report_goes_into_the_model_card_once(
    asked: tuple[SaysYes, list[Answered]], make_dataset: Callable[..., Path], tmp_path: Path
) -> None:
    from vla_training.cli import main

    words = [
        "--labels",
        "expert",
        "--data",
        str(make_dataset(size=(32, 48))),
        "--out",
        str(tmp_path / "run"),
        "--steps",
        "1",
    ]
    assert main(["train", "rt2", *words, "--images", "1", "--samples", "1", "--threads", "1"]) == 0
    folder, report = tmp_path / "run" / "checkpoint", summarise("yes", "", "fr3", 1, asked[1])
    add_answered(folder, report)
    add_answered(folder, report)
    text = (folder / CARD).read_text()
    assert text.count("Questions about fresh scenes") == 1
    assert f"of {report['asked']}" in text
