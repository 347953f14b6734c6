# SPDX-License-Identifier: Apache-2.0
"""Instructions go out again to those who lack them, and to nobody who has started again."""

import pytest
from vla_operator.confirmation import FLIGHT, INSIST, Confirmations


@pytest.fixture
def confirmations() -> Confirmations:
    receivers = Confirmations({"policy": 2.5, "controller": 1.0})
    for name in ("policy", "controller"):
        receivers.report(name, 4, 9.9)
    receivers.give(5, 10.0)
    return receivers


def test_nobody_lacks_it_before_there_is_a_report_from_after_it(confirmations: Confirmations) -> None:
    assert confirmations.lacking(10.2) == []


def test_who_reports_an_older_one_lacks_it_until_he_has_it(confirmations: Confirmations) -> None:
    confirmations.report("policy", 5, 10.3)
    confirmations.report("controller", 4, 10.3)
    assert confirmations.lacking(10.4) == ["controller"]
    confirmations.report("controller", 5, 10.5)
    assert confirmations.lacking(10.6) == []


def test_a_report_that_was_on_its_way_says_nothing(confirmations: Confirmations) -> None:
    confirmations.report("controller", 4, 10.0 + 0.9 * FLIGHT)
    assert confirmations.lacking(10.0 + 1.1 * FLIGHT) == []


def test_who_is_first_heard_after_it_lacks_it_too() -> None:
    receivers = Confirmations({"controller": 1.0})
    receivers.give(5, 10.0)
    receivers.report("controller", 0, 10.5)
    assert receivers.lacking(10.6) == ["controller"]


@pytest.mark.parametrize(("sequence", "time"), [(0, 10.4), (4, 11.3)], ids=["forgot", "was silent"])
def test_who_has_started_again_meanwhile_gets_nothing(confirmations: Confirmations, sequence: int, time: float) -> None:
    confirmations.report("controller", sequence, time)
    confirmations.report("controller", sequence, time + 0.1)
    assert confirmations.lacking(time + 0.2) == []


def test_it_is_forgotten_after_a_while(confirmations: Confirmations) -> None:
    for tenths in range(10 * int(INSIST)):
        confirmations.report("policy", 4, 10.0 + tenths / 10)
    assert confirmations.lacking(10.0 + INSIST) == ["policy"]
    assert confirmations.lacking(10.0 + INSIST + 0.1) == []


def test_the_next_instruction_takes_its_place(confirmations: Confirmations) -> None:
    confirmations.report("controller", 5, 10.3)
    confirmations.give(6, 10.4)
    confirmations.report("controller", 5, 10.7)
    assert confirmations.lacking(10.8) == ["controller"]
