# SPDX-License-Identifier: Apache-2.0
"""Sentences to tasks, and sentences that are none."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vla_sim.task.task import FAMILIES, SIDES, TEMPLATES, Task, TaskError, parse_task
from vla_sim.world.scene import BLOCKS, BOWL

TASKS = [
    Task(family, block, target)
    for block in BLOCKS
    for family, targets in (
        ("pick", [""]),
        ("place", [BOWL]),
        ("near", [b for b in BLOCKS if b != block]),
        ("push", SIDES),
    )
    for target in targets
]


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.text())
def test_every_task_is_read_back_from_its_own_words(task):
    assert parse_task(task.text()) == task
    assert parse_task(f"  Please, {task.text().upper()}!  ") == task


@pytest.mark.parametrize(
    ("text", "task"),
    [
        ("grab the green cube", Task("pick", "green block")),
        ("drop the blue one into the bowl", Task("place", "blue block", BOWL)),
        ("slide the yellow block over to the right side", Task("push", "yellow block", "right")),
        ("set the purple block beside the red block", Task("near", "purple block", "red block")),
        ("put the red block near the edge into the bowl", Task("place", "red block", BOWL)),
        ("take the red block beside the bowl", Task("pick", "red block")),
        ("I am tired: take the blue block", Task("pick", "blue block")),  # no colour hides in another word
    ],
)
def test_other_words_for_the_same(text, task):
    assert parse_task(text) == task


@pytest.mark.parametrize(
    "text",
    [
        "",
        "dance",
        "pick up the orange block",
        "push the red block",
        "move the red block next to the cup",
        "put the red block next to the bowl",
        "place the green block near the bowl",
        "red",
        "\x00",
        "🤖",
    ],
)
def test_no_task_is_answered_with_examples_of_every_family(text):
    with pytest.raises(TaskError) as caught:
        parse_task(text)
    for word in ("pick up", "in the bowl", "next to", "to the left", *BLOCKS):
        assert word in str(caught.value)


@given(st.text(max_size=200))
def test_any_text_is_a_task_or_a_task_error(text):
    with suppress(TaskError):
        assert parse_task(text) in TASKS


@pytest.mark.parametrize(
    ("family", "block", "target"),
    [
        ("fold", BLOCKS[0], ""),
        ("pick", "orange block", ""),
        ("pick", BLOCKS[0], BOWL),
        ("near", BLOCKS[0], BLOCKS[0]),
        ("push", BLOCKS[0], "up"),
    ],
)
def test_tasks_that_make_no_sense_are_refused_with_what_is_valid(family, block, target):
    with pytest.raises(TaskError, match="valid"):
        Task(family, block, target)


def test_templates_of_the_callers_own():
    task = Task("push", "red block", "left")
    assert task.text("shove {object} {side}") == "shove red block left"
    for bad in ("{colour}", "{0}", "{object"):
        with pytest.raises(TaskError, match="placeholders"):
            task.text(bad)
    assert set(TEMPLATES) == set(FAMILIES)
