# SPDX-License-Identifier: Apache-2.0
"""The bench of faults: its table is well formed, and its judge sees what breaks a promise."""

import re
from dataclasses import replace

import numpy as np
import pytest
from vla_demo.faults.case import Case, Recovery
from vla_demo.faults.judge import Limits, Line, Run, Trace, judge
from vla_demo.faults.report import merge, summary, table
from vla_demo.faults.table import CASES, UnknownFaultError, select
from vla_faults.arrows import arrows

from vla_faults import CORRUPTIONS, Fault, corruption

LIMITS = Limits(-np.ones(2), np.ones(2), np.ones(2), 8.0 * np.ones(2))
ARROWS = arrows("arm/joint_trajectory", "hand/joint_trajectory", clock=True)
STOP = Case("camera", "off", rests=True, within=0.5, said="no image")
TOLD = [Line("diagnostics", "camera_node: camera: no image received")]


def trace(speed_after=0.0, position=0.0, velocity=0.0, acceleration=0.0, step=0.0):
    """An arm that moves at 0.4 rad/s for 0.3 s, and at `speed_after` for 1 s more."""
    times = np.arange(0.0, 1.3, 0.01)
    speeds = np.where(times < 0.3, 0.4, speed_after)[:, None] * np.ones(2)
    ticks = np.arange(0.0, 1.3, 0.05)
    setpoints = position + np.where(ticks > 0.6, step, 0.0)[:, None] * np.ones(2)
    rows = [value * np.ones((len(ticks), 2)) for value in (velocity, acceleration)]
    return Trace(times, speeds, ticks, setpoints, *rows)


def violations(case=STOP, lines=TOLD, recovery=Recovery.ITSELF, **measured):
    return judge(case, 1, trace(**measured), LIMITS, lines, recovery).violations


def test_a_kept_promise_has_no_violation_and_its_figures():
    run = judge(STOP, 3, trace(), LIMITS, TOLD, Recovery.ITSELF)
    assert run.violations == ()
    assert run.rest_s == pytest.approx(0.29)
    assert run.speed == pytest.approx(0.4)
    assert run.said == "diagnostics: camera_node: camera: no image received"


@pytest.mark.parametrize(
    ("measured", "said"),
    [
        ({"speed_after": 0.1}, "until the end"),
        ({"case": replace(STOP, within=0.2)}, "in motion 0.290 s; promised: 0.20 s"),
        ({"lines": []}, "nothing like"),
        ({"recovery": Recovery.INSTRUCTION}, "it took instruction"),
        ({"recovery": None}, "did not move again"),
        ({"position": 1.1}, "outside the position limits"),
        ({"velocity": 1.2}, "velocity of a setpoint"),
        ({"acceleration": 9.0}, "acceleration of a setpoint"),
        ({"step": 0.3}, "a leap of the setpoint"),
        ({"case": Case("camera", "wrong:black"), "speed_after": 2.0}, "the arm at 2.00"),
    ],
)
def test_each_broken_promise_is_named(measured, said):
    assert any(said in text for text in violations(**measured))


def test_a_promise_after_the_budget_has_that_much_more_time():
    case = replace(STOP, within=0.2, after_budget=True)
    assert judge(case, 1, replace(trace(), budget=0.3), LIMITS, TOLD, Recovery.ITSELF).violations == ()


def test_a_clock_that_was_set_back_is_no_leap():
    measured = trace(step=0.3)
    late = replace(measured, arrivals=measured.times + np.where(measured.times > 0.6, 0.5, 0.0))
    assert judge(STOP, 1, late, LIMITS, TOLD, Recovery.ITSELF).violations == ()


def test_an_arm_that_may_move_is_held_to_its_limits_alone():
    assert violations(case=Case("camera", "wrong:black"), lines=[], speed_after=0.4) == ()


def test_there_are_at_least_sixty_faults_and_no_two_of_one_name():
    names = [case.name for case in CASES]
    assert len(names) == len(set(names)) >= 60


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_fault_can_be_injected_and_its_words_can_be_looked_for(case):
    re.compile(case.said)
    kind = case.place.partition(" ")[0]
    if kind in ("process", "operator", "machine"):
        return
    fault = Fault.parse(case.fault, case.magnitude)
    assert case.place in ARROWS
    if fault.kind == "wrong":
        assert corruption(ARROWS[case.place].type_name, fault)


def test_every_kind_and_every_arrow_is_in_the_table():
    kinds = {case.fault.partition(":")[0] for case in CASES if case.place in ARROWS}
    assert kinds == {"off", "stuck", "garbage", "wrong", "slow", "delayed", "intermittent", "duplicated", "reordered"}
    assert {case.place for case in CASES} >= set(ARROWS)
    assert CORRUPTIONS


def test_faults_are_selected_by_parts_of_their_names():
    assert {case.place for case in select(["camera "])} == {"camera"}
    assert len(select([])) == len(CASES)
    with pytest.raises(UnknownFaultError, match="joint_states"):
        select(["jointstates"])


def test_the_summary_counts_runs_and_names_violations():
    cases = (STOP, Case("camera", "slow"))
    runs = [
        Run("camera off", 1, 0.4, 0.3, "diagnostics: no image", "itself"),
        Run("camera off", 2, 0.4, 0.7, "", "instruction", ("in motion 0.700 s; promised: 0.50 s",)),
        Run("camera slow", 1, 0.0, None, "", "itself"),
    ]
    found = summary(cases, runs)
    assert (found["runs"], found["faults"], found["as_promised"], found["in_motion"]) == (3, 2, 2, 2)
    assert found["longest_to_rest_s"] == 0.7
    assert found["violations"] == ["camera off, seed 2: in motion 0.700 s; promised: 0.50 s"]
    assert found["by_fault"]["camera off"]["as_promised"] == 1
    assert "| camera off | rest within 0.5 s | 1 of 2 | 0.70 s |" in table(cases, found)


def test_runs_of_earlier_calls_are_kept_unless_they_were_run_again():
    old = [{"case": "a", "seed": 1, "speed": 0.1, "rest_s": 0.2, "said": "", "recovery": "itself", "violations": ["x"]}]
    new = [Run("a", 2, 0.1, 0.2, "", "itself"), Run("b", 1, 0.1, 0.2, "", "itself")]
    assert {(run.case, run.seed) for run in merge(old, new)} == {("a", 1), ("a", 2), ("b", 1)}
    again = merge(old, [Run("a", 1, 0.1, 0.2, "", "itself")])
    assert [run.violations for run in again] == [()]
