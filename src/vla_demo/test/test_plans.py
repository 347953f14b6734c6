# SPDX-License-Identifier: Apache-2.0
"""What is given: reproducible from a seed, refused with the reason when it makes no sense."""

import json
from pathlib import Path

import pytest
from vla_demo.run.plans import FAMILIES, Plan, PlanError, another_instruction, demo_plans, evaluation_plans, read_plans

TABLE = ("red block", "blue block", "bowl", "grey can")


def test_the_demo_has_every_family_and_one_change_mid_run() -> None:
    plans = demo_plans(3)
    assert len(plans) == 5
    assert {plan.family for plan in plans} == set(FAMILIES)
    assert sum(bool(plan.then) for plan in plans) == 1
    assert plans == demo_plans(3)
    assert {p.seed for p in plans}.isdisjoint(p.seed for p in demo_plans(4))


def test_an_evaluation_balances_the_families() -> None:
    plans = evaluation_plans(20, 7)
    assert {sum(plan.family == family for plan in plans) for family in FAMILIES} == {5}
    assert len({plan.seed for plan in plans}) == 20


def test_the_second_instruction_is_about_another_block() -> None:
    first = "put the red block in the bowl"
    assert another_instruction(first, TABLE, 0) == "put the blue block in the bowl"
    assert another_instruction(first, ("red block", "blue block"), 5) == "pick up the blue block"
    with pytest.raises(PlanError, match="red block"):
        another_instruction(first, ("red block", "bowl"), 0)


def test_a_file_of_episodes(tmp_path: Path) -> None:
    path = tmp_path / "e.json"
    path.write_text(
        json.dumps([{"family": "push", "seed": 4}, {"instruction": "pick up the red block", "then": "any"}])
    )
    assert read_plans(path) == (Plan("push", 4), Plan(instruction="pick up the red block", then="any"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "JSON"),
        ("[]", "list"),
        ('{"family": "pick"}', "list"),
        ("[3]", "not an object"),
        ('[{"famly": "pick"}]', "valid: family, seed"),
        ('[{"family": "fly"}]', "valid: pick, place"),
        ('[{"seed": 1}]', "needs a family"),
        ('[{"family": "pick", "seed": -1}]', "seed"),
        ('[{"family": "pick", "seed": "1"}]', "seed"),
        ('[{"instruction": 5}]', "text"),
    ],
)
def test_bad_files_are_refused_with_the_reason(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "e.json"
    path.write_text(text)
    with pytest.raises(PlanError, match=message) as caught:
        read_plans(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_and_silly_numbers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="none"):
        read_plans(tmp_path / "none.json")
    with pytest.raises(PlanError, match="at least 1"):
        evaluation_plans(0, 7)
    with pytest.raises(PlanError, match="seed"):
        demo_plans(-1)
