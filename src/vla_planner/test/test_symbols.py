# SPDX-License-Identifier: Apache-2.0
"""What the symbols mind makes of goals: steps on a table of four blocks."""

import pytest
from vla_planner.planner import Attempt, PlannerConfig, Situation, Verdict
from vla_planner.scene import Scene, SeenObject
from vla_planner.symbols.affordance import can, instead
from vla_planner.symbols.mind import create
from vla_planner.vocabulary import TABLETOP, Step

PLACES = {
    "red block": (0.42, -0.12, 0.02),
    "green block": (0.47, -0.03, 0.02),
    "blue block": (0.57, 0.08, 0.02),
    "yellow block": (0.6, -0.12, 0.02),
    "bowl": (0.4, 0.1, 0.0),
}
MIND = create(PlannerConfig())


def scene(**moved: tuple[float, float, float]) -> Scene:
    places = PLACES | {name.replace("_", " "): place for name, place in moved.items()}
    return Scene({name: SeenObject(name, place) for name, place in places.items()}, (0.4, 0.0, 0.4), 0.08)


def plan(goal: str, **moved: tuple[float, float, float]) -> list[str]:
    return [step.text for step in MIND.decide(Situation(goal, scene(**moved))).steps]


def in_bowl(*colors: str) -> set[str]:
    return {f"put the {color} block in the bowl" for color in colors}


@pytest.mark.parametrize(
    ("goal", "steps"),
    [
        ("put all the blocks in the bowl", in_bowl("red", "green", "blue", "yellow")),
        ("clear the table", in_bowl("red", "green", "blue", "yellow")),
        ("put everything but the red block in the bowl", in_bowl("green", "blue", "yellow")),
        ("everything apart from the blue one belongs in the bowl", in_bowl("red", "green", "yellow")),
        ("could you deposit the red and blue cubes into the bowl please", in_bowl("red", "blue")),
        ("leave only the yellow block on the table", in_bowl("red", "green", "blue")),
        ("i want nothing left on the table", in_bowl("red", "green", "blue", "yellow")),
        ("fetch me the red block", {"pick up the red block"}),
        ("bring the blue and the red block to the right side",
         {"push the blue block to the right", "push the red block to the right"}),
        ("warm colours to the left, cold colours to the right",
         {"push the red block to the left", "push the yellow block to the left",
          "push the green block to the right", "push the blue block to the right"}),
    ],
)  # fmt: skip
def test_goals_become_steps(goal: str, steps: set[str]):
    assert set(plan(goal)) == steps


def test_chains_keep_their_order_and_it_means_what_was_moved():
    assert plan(
        "first push the red block to the left, then put the blue block in the bowl, and finally push it right"
    ) == [
        "push the red block to the left",
        "put the blue block in the bowl",
        "push the blue block to the right",
    ]


def test_gathering_names_a_neighbour_for_each_block_that_stands_apart():
    steps = [TABLETOP.parse(text) for text in plan("gather the blocks around the red block")]
    assert {step.object for step in steps} <= {"green block", "blue block", "yellow block"}
    assert all(step.family == "near" for step in steps)


def test_what_holds_already_is_no_step_and_a_reached_goal_is_done():
    bowl = PLACES["bowl"]
    at = (bowl[0], bowl[1], 0.03)
    assert set(plan("clear the table", red_block=at)) == in_bowl("green", "blue", "yellow")
    all_in = {name.replace(" ", "_"): at for name in PLACES if name != "bowl"}
    assert MIND.decide(Situation("clear the table", scene(**all_in))).done


def test_a_disturbance_brings_a_step_back():
    done = Attempt(Step("place", "red block", "bowl"), "finished", Verdict(True, 1.0))
    decision = MIND.decide(Situation("put the red block into the bowl", scene(), history=(done,)))
    assert [step.text for step in decision.steps] == ["put the red block in the bowl"]


def test_a_stage_stays_reached_when_a_later_one_undoes_it():
    goal = "push the red block to the left, then put the red block in the bowl"
    done = Attempt(Step("push", "red block", "left"), "finished", Verdict(True, 1.0))
    decision = MIND.decide(Situation(goal, scene(), history=(done,)))
    assert [step.text for step in decision.steps] == ["put the red block in the bowl"]


def test_affordances_follow_from_the_symbols():
    bowl = (PLACES["bowl"][0], PLACES["bowl"][1])
    stacked = scene(red_block=(*bowl, 0.03), green_block=(*bowl, 0.07))
    assert not can(stacked, Step("pick", "red block")).holds
    assert can(stacked, Step("pick", "green block")).holds
    assert not can(stacked, Step("push", "green block", "left")).holds
    assert not can(scene(), Step("pick", "purple block")).holds
    assert can(scene(), Step("near", "red block", "blue block")).holds


def test_a_push_that_failed_is_done_in_another_way_where_there_is_one():
    step = Step("push", "red block", "left")
    failed = (Attempt(step, "timeout", Verdict(False, 1.0)),)
    assert instead(scene(), step, failed) == step
    assert instead(scene(blue_block=(0.5, 0.2, 0.02)), step, failed) == Step("near", "red block", "blue block")
