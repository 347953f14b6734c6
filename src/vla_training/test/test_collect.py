# SPDX-License-Identifier: Apache-2.0
"""Demonstrations: the seed decides all of an episode, and labels are what the expert would do."""

from __future__ import annotations

import os
from functools import partial

import numpy as np
import pytest
from vla_policy.action.presets import RT1_TABLETOP
from vla_policy.action.tokenizer import ActionTokenizer
from vla_sim.expert.expert import ExpertState, expert_action
from vla_sim.world.robots import get_robot
from vla_training.data.collect import Collector, CollectSettings, collect
from vla_training.data.frames import ALL_TASKS, build_table
from vla_training.run.errors import TrainingError
from vla_training.run.parallel import run_in_order

SHORT = CollectSettings(max_steps=8, image_size=(32, 40))
CLEAN = CollectSettings(max_steps=30, image_size=(32, 40), perturbed=0.0, gripper_flips=0.0, detours=0.0)
METRES_PER_BIN = 0.12 / 255


def same(one, other) -> bool:
    arrays = ("images", "joints", "tcp", "width", "blocks", "bowl", "actions")
    return one.task == other.task and all(np.array_equal(getattr(one, a), getattr(other, a)) for a in arrays)


@pytest.fixture(scope="module")
def collector():
    made = Collector(SHORT)
    yield made
    made.close()


def test_seed_decides_the_episode_also_after_another_one(collector):
    first = collector.episode(3)
    other = collector.episode(4)
    assert same(first, collector.episode(3))
    assert not same(first, other)


def test_processes_make_the_same_episodes_in_order(collector):
    records = list(collect(SHORT, [5, 3, 4], workers=2))
    assert all(same(record, collector.episode(seed)) for seed, record in zip([5, 3, 4], records, strict=True))


def test_dead_process_is_an_error_and_no_hang():
    with pytest.raises(TrainingError, match="worker process died"):
        list(run_in_order(partial(os._exit, 3), range(4), processes=2))


def test_repeated_family_weighs_more():
    rng = np.random.default_rng(0)
    families = ("near", "near", "near", "pick")
    assert np.mean([rng.choice(families) == "near" for _ in range(400)]) == pytest.approx(0.75, abs=0.07)


def test_labels_of_the_own_task_are_what_the_expert_did():
    collector = Collector(CLEAN)
    record = collector.episode(0)
    collector.close()
    table = build_table([record])
    frames = np.arange(len(table))
    labels = ActionTokenizer(RT1_TABLETOP).decode(table.tokens[frames, table.own_task])
    assert np.abs(labels[:, :3] - record.actions[:, :3]).max() < METRES_PER_BIN
    np.testing.assert_array_equal(labels[:, 6] > 0.5, record.actions[:, 3] > 0.5)
    np.testing.assert_array_equal(labels[:, 10] < 0.5, record.actions[:, 4] > 0.5)  # mode 0: terminate


def test_each_label_depends_on_its_own_frame_and_task_alone(make_record):
    records = [make_record(seed, frames=3) for seed in range(2)]
    table = build_table(records)
    tokenizer, robot = ActionTokenizer(RT1_TABLETOP), get_robot("fr3")
    for row, number in ((0, 0), (4, 7), (5, 20)):
        record, frame = records[row // 3], row % 3
        one = ExpertState(record.tcp[[frame], :3], record.width[[frame]], record.blocks[[frame]], record.bowl[[frame]])
        step = expert_action(one, ALL_TASKS[number], robot)
        vector = np.zeros((1, 11))
        vector[:, :3], vector[:, 6] = step.translation, step.opening
        np.testing.assert_array_equal(table.tokens[row, number, :10], tokenizer.encode(vector).tokens[0, :10])


def test_tasks_about_absent_objects_are_not_allowed(make_record):
    record = make_record()
    record.blocks[:, 1, 2] = -1.0  # parked below the table
    table = build_table([record])
    absent = [ALL_TASKS[0].object, ALL_TASKS[1].object][1]
    for index, task in enumerate(ALL_TASKS):
        assert table.allowed[:, index].all() == (absent not in (task.object, task.target))


def test_table_of_two_robots_is_refused(make_record):
    with pytest.raises(ValueError, match="one robot"):
        build_table([make_record(), make_record(robot="wx250s")])
