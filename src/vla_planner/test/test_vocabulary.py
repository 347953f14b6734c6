# SPDX-License-Identifier: Apache-2.0
"""The closed vocabulary: every step has one wording, and nothing else is a step."""

import pytest
from vla_planner.errors import StepError
from vla_planner.vocabulary import TABLETOP, Step


def test_every_step_is_parsed_back_from_its_text():
    steps = list(TABLETOP.steps(TABLETOP.objects))
    assert len(steps) == 5 + 5 + 20 + 10
    assert [TABLETOP.parse(step.text) for step in steps] == steps


@pytest.mark.parametrize(
    "text",
    ["", "open the door", "put the red block in the drawer", "pick up the pink block", "import os", "push it left"],
)
def test_anything_else_is_refused_with_the_valid_forms(text: str):
    with pytest.raises(StepError, match="valid"):
        TABLETOP.parse(text)


def test_steps_name_only_what_is_present():
    present = ("red block", "bowl")
    assert {step.text for step in TABLETOP.steps(present)} == {
        "pick up the red block",
        "put the red block in the bowl",
        "push the red block to the left",
        "push the red block to the right",
    }
    assert TABLETOP.absent(Step("near", "red block", "blue block"), present) == ("blue block",)
