# SPDX-License-Identifier: Apache-2.0
"""Sentences: training words every task, and a caller's file of templates is checked before anything runs."""

from __future__ import annotations

import pytest
from vla_sim.task.task import FAMILIES, TaskError, parse_task
from vla_training.data.frames import ALL_TASKS
from vla_training.data.language import load_templates, training_sentences, training_templates


def test_every_family_has_as_many_wordings_and_begins_with_its_own():
    templates = training_templates()
    assert tuple(templates) == FAMILIES
    assert len({len(each) for each in templates.values()}) == 1
    assert all(parse_task(training_sentences(task)[0]) == task for task in ALL_TASKS)


def test_sentences_of_different_tasks_differ():
    sentences = [sentence for task in ALL_TASKS for sentence in training_sentences(task)]
    assert len(set(sentences)) == len(sentences)


def test_good_file(tmp_path):
    path = tmp_path / "f.yaml"
    path.write_text('pick: ["fetch the {object}"]\npush: ["shift the {object} {side}"]\n')
    assert load_templates(path) == {"pick": ["fetch the {object}"], "push": ["shift the {object} {side}"]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "must map a family"),
        (b"- pick", "must map a family"),
        (b"pick: [", "cannot read"),
        (b"\xff\xfe\xfa", "cannot read"),
        (b"fetch: [a]", r"unknown family 'fetch'; valid: pick"),
        (b"pick: fetch the {object}", "non-empty list of strings"),
        (b"pick: []", "non-empty list"),
        (b"pick: [7]", "non-empty list of strings"),
        (b"pick: ['fetch the {thing}']", "valid placeholders"),
        (b"pick: ['fetch the {object']", "valid placeholders"),
        (b"pick: ['fetch the {object.color}']", "color"),
        (b"pick: [fetch it]", "does not name"),
    ],
)
def test_bad_file_is_refused_with_what_is_valid(tmp_path, content, message):
    path = tmp_path / "f.yaml"
    path.write_bytes(content)
    with pytest.raises(TaskError, match=message):
        load_templates(path)


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(TaskError, match=r"nothing\.yaml"):
        load_templates(tmp_path / "nothing.yaml")
