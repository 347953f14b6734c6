# SPDX-License-Identifier: Apache-2.0
"""Questions with true answers, image-text sets on disk, and how the mixture draws from them."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vla_policy.rt2.prompt import prompt
from vla_sim.world.scene import BLOCKS
from vla_training.rt2.samples.image_text import CAPTION, ImageTextSource, read_image_text
from vla_training.rt2.samples.samples import Group, Mixture
from vla_training.rt2.samples.scene_text import KINDS, NUMBERS, Scene, draw_exchange
from vla_training.run.errors import TrainingError


def scene(seed: int, held: bool = False) -> Scene:
    rng = np.random.default_rng(seed)
    blocks = np.column_stack([rng.uniform(0.35, 0.65, 5), rng.uniform(-0.25, 0.25, 5), np.full(5, 0.02)])
    blocks[rng.permutation(5)[: rng.integers(0, 4)], 2] = -1.0
    tcp = np.array([0.45, 0.0, 0.3])
    if held:
        blocks[0] = [*tcp[:2], tcp[2] - 0.005]
    return Scene(blocks, np.array([0.5, 0.2, 0.0 if seed % 2 else -1.0]), tcp)


@given(seed=st.integers(0, 10_000), kind=st.sampled_from(sorted(KINDS)), held=st.booleans())
@settings(max_examples=300, deadline=None)
def test_answers_are_true_of_the_scene(seed: int, kind: str, held: bool) -> None:
    here = scene(seed, held)
    exchange = draw_exchange(here, np.random.default_rng(seed), kind)
    if exchange is None:
        return
    there = here.there()
    named = [name for name in BLOCKS if name in exchange.question]
    if kind == "exists":
        assert (exchange.answer == "yes") == (named[0] in there)
    elif kind == "count":
        assert NUMBERS.index(exchange.answer) == len(there)
    elif kind == "held":
        assert exchange.answer == (f"the {BLOCKS[0]}" if held else "nothing")
    elif kind == "colours":
        assert {name for name in BLOCKS if name.split()[0] in exchange.answer} == set(there)
    elif kind == "compare":
        first, second = sorted(named, key=exchange.question.index)
        left = there[first][1] > there[second][1]
        assert (exchange.answer == "yes") == (left == ("left" in exchange.question))
    elif kind == "where" and named:
        y = there[named[0]][1]
        assert ("middle" in exchange.answer) == (abs(y) < 0.07)
        assert "middle" in exchange.answer or ("left" in exchange.answer) == (y > 0)
    elif kind == "caption":
        assert exchange.answer.count("a ") == len(there)


def picture(path: Path) -> None:
    cv2.imwrite(str(path), np.zeros((8, 10, 3), np.uint8))


def words(text: str) -> tuple[int, ...]:
    return tuple(len(word) for word in text.split())


def test_an_image_folder_is_read(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    rows = [{"file_name": "a.png", "text": "a cup"}, {"file_name": "a.png", "question": "what?", "answer": "a cup"}]
    (tmp_path / "metadata.jsonl").write_text("\n".join(json.dumps(row) for row in rows) + "\n")
    (item,) = read_image_text(tmp_path)
    assert item.pairs == ((CAPTION, "a cup"), ("what?", "a cup"))
    group = ImageTextSource([item], prompt("rt2"), words).draw(4, np.random.default_rng(0))
    assert group.image.shape == (8, 10, 3)
    assert {sample.prompt for sample in group.samples} == {f"Q: {CAPTION} A:", "Q: what? A:"}
    assert all(sample.bins is None and sample.answer == (1, 3) for sample in group.samples)


def test_a_llava_file_is_read(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    turns = [{"from": "human", "value": "<image>\nwhat?"}, {"from": "gpt", "value": "a cup"}]
    (tmp_path / "set.json").write_text(json.dumps([{"image": "a.png", "conversations": turns}]))
    (item,) = read_image_text(tmp_path / "set.json")
    assert item.pairs == (("what?", "a cup"),)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"file_name": "a.png"}', "line 1.*valid is file_name with text"),
        ("[1]", "line 1 is a list; valid is an object"),
        ("{", "line 1 is no JSON"),
        ('{"file_name": "b.png", "text": "a cup"}', "b.png is missing"),
    ],
)
def test_a_damaged_set_is_refused(tmp_path: Path, line: str, message: str) -> None:
    picture(tmp_path / "a.png")
    (tmp_path / "metadata.jsonl").write_text(line)
    with pytest.raises(TrainingError, match=message):
        read_image_text(tmp_path)


def test_a_folder_without_texts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"valid: a folder with metadata\.jsonl"):
        read_image_text(tmp_path)


class Named:
    """A source that says which one it was by the size of its picture."""

    def __init__(self, size: int) -> None:
        self._size = size

    def draw(self, count: int, rng: np.random.Generator) -> Group:
        return Group(np.zeros((self._size, 1, 3), np.uint8), ())


def test_the_mixture_has_the_robots_share() -> None:
    mixture, rng = Mixture(Named(1), [(Named(2), 1.0), (Named(3), 3.0)], 0.6), np.random.default_rng(0)
    drawn = np.array([mixture.draw(1, rng).image.shape[0] for _ in range(4000)])
    shares = [(drawn == size).mean() for size in (1, 2, 3)]
    np.testing.assert_allclose(shares, [0.6, 0.1, 0.3], atol=0.03)


def test_robot_data_alone_needs_no_texts() -> None:
    mixture, rng = Mixture(Named(1), [], 0.6), np.random.default_rng(0)
    assert all(mixture.draw(1, rng).image.shape[0] == 1 for _ in range(50))
