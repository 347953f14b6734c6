# SPDX-License-Identifier: Apache-2.0
"""Goals in lockstep: cases that can be laid and are not done, truth of conditions, plans of the default planner."""

from pathlib import Path

import numpy as np
import pytest
from vla_planner.planner import PlannerConfig, Situation
from vla_planner.symbols.mind import create
from vla_planner.symbols.sentence import SentenceEncoder
from vla_planner.vocabulary import TABLETOP, Step
from vla_policy.rt1.instruction.encoder import InstructionEncoder
from vla_sim.task.task import TEMPLATES, TaskError
from vla_sim.world.scene import BLOCKS, BOWL
from vla_sim.world.world import World
from vla_training.evaluate.goals.cases import LENGTHS, lay_case, load_cases, sample_case
from vla_training.evaluate.goals.episode import plan_is_right
from vla_training.evaluate.goals.measures import f1
from vla_training.evaluate.goals.truth import parse_condition, share_held, step_holds, step_possible, true_scene


@pytest.fixture(scope="module")
def world() -> World:
    return World("fr3")


def test_the_planner_knows_the_words_of_the_simulated_tasks():
    assert TABLETOP.movable == BLOCKS
    assert TABLETOP.containers == (BOWL,)
    for step in TABLETOP.steps(TABLETOP.objects):
        words = TEMPLATES[step.family].format(object=step.object, target=step.target, side=step.target)
        assert step.text == words


@pytest.mark.parametrize("length", LENGTHS)
def test_cases_have_the_length_asked_for_and_the_default_planner_plans_them(world: World, length: str):
    mind, low, high = create(PlannerConfig()), *LENGTHS[length]
    for seed in range(6):
        rng = np.random.default_rng([seed, 3])
        case = sample_case(rng, length, world.robot)
        assert low <= len(case.steps) <= high
        lay_case(case, world.robot, rng).apply(world)
        decision = mind.decide(Situation(case.goal, true_scene(world)))
        assert plan_is_right(case, decision.steps), case.goal
        assert share_held(world, case.done) < 1.0


def test_conditions_are_judged_on_the_world(world: World):
    world.park_all()
    world.place("bowl", (0.5, 0.1, 0.001))
    world.place("red block", (0.5, 0.1, 0.03))
    world.place("blue block", (0.45, 0.2, 0.021))
    held = {text: share_held(world, [parse_condition(text)]) for text in (
        "red block in bowl", "blue block not in bowl", "all blocks in bowl", "all blocks but blue in bowl",
        "blue block on the left", "blue block next to red block", "red block in hand")}  # fmt: skip
    assert held == {
        "red block in bowl": 1.0,
        "blue block not in bowl": 1.0,
        "all blocks in bowl": 0.5,
        "all blocks but blue in bowl": 1.0,
        "blue block on the left": 1.0,
        "blue block next to red block": 0.0,
        "red block in hand": 0.0,
    }
    assert step_holds(world, Step("place", "red block", "bowl"))
    assert not step_possible(world, Step("push", "red block", "left"))
    assert step_possible(world, Step("pick", "blue block"))


def test_own_goals_are_read_and_faults_in_them_are_told(tmp_path: Path):
    path = tmp_path / "goals.yaml"
    path.write_text("- {goal: 'tidy up the red one', done: ['red block in bowl']}\n")
    assert load_cases(path)[0].blocks == ("red block",)
    for text, said in (
        ("- {goal: x, done: ['red block in the drawer']}", "valid"),
        ("hello", "valid is a list"),
        ("- {goal: 3}", "valid is"),
        ("[", "goals.yaml"),
    ):
        path.write_text(text)
        with pytest.raises(TaskError, match=said):
            load_cases(path)


def test_f1_counts_hits_of_the_class():
    assert f1([(True, True), (True, False), (False, True), (False, False)]) == 0.5
    assert f1([(False, False)]) is None


def test_the_planners_sentence_vectors_are_those_of_rt1s_encoder():
    ours, theirs = SentenceEncoder(), InstructionEncoder()
    for text in ("put the red block in the bowl", "leave only the yellow one"):
        assert np.allclose(ours(text), theirs(text).sentence[0].numpy(), atol=1e-5)
