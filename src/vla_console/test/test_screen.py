# SPDX-License-Identifier: Apache-2.0
"""The terminal view shows what the page shows, also before anything has reported."""

import io
from types import SimpleNamespace

import pytest
from rich.console import Console
from vla_console.screen import screen

from vla_console import messages

ABOUT = {"joints": ("one", "two"), "lower": [-1.0, -1.0], "upper": [1.0, 1.0]}
EMPTY = {
    **dict.fromkeys(("controller", "policy", "operator", "recorder", "task", "chunk", "plan", "goal")),
    "score": {"tasks": 0, "successes": 0},
}


def text(state, history=(), diagnostics=(), logs=()):
    console = Console(file=io.StringIO(), width=200, height=50)
    console.print(screen(ABOUT, state, history, diagnostics, logs))
    return console.file.getvalue()


def controller():
    point = SimpleNamespace(x=0.5, y=float("nan"), z=0.25)
    refusal = SimpleNamespace(name="too_old", count=7, reason="[bold]1.9 s[/bold]; valid: 1.5 s")
    numbers = dict.fromkeys(("gripper", "tick_period", "compute_time", "latency_budget", "pace"), 0.5)
    return SimpleNamespace(
        state=4, owner=3, device="pad", intervention=True, reason="latched", instruction_sequence=2**63,
        measured=[0.0, 0.99], setpoint=[], setpoint_velocity=[], ee_setpoint=SimpleNamespace(position=point),
        stamp_to_setpoint=float("inf"), chunks_accepted=3, steps_late=1, refusals=[refusal], **numbers,
    )  # fmt: skip


def test_nothing_has_reported():
    shown = text(EMPTY)
    assert "policy silent" in shown
    assert "the arm halts" in shown


def test_state_and_refusals_are_shown_as_they_were_told():
    state = {**EMPTY, "controller": {**messages.controller(controller()), "age": 0.0, "hz": 20.0}}
    history = [{"text": "[red]pick[/red] it", "source": "voice", "stop": False}]
    shown = text(state, history, [{"level": "warn", "name": "n: part", "message": "slow"}], [])
    for part in (
        "estopped",
        "person pad",
        "too_old: [bold]1.9 s",
        "[red]pick[/red] it (voice)",
        "warn n: part",
        "0.500, -, 0.250 m",
    ):
        assert part in shown


def goal(**parts):
    step = {"instruction": "pick up the red block", "state": 2, "attempt": 1, "confidence": 0.9, "reason": "held"}
    numbers = {"replans": 1, "decision_time": 0.25, "cost": float("nan"), "result": 0, "state": 4}
    texts = dict.fromkeys(("say", "result_text"), "")
    given = {"goal_id": "a", "goal": "clear the table", "planner": "symbols", "question": "which [b]block[/b]?"}
    return SimpleNamespace(**{**numbers, **texts, **given, "steps": [SimpleNamespace(**step)], **parts})


def test_a_goal_is_shown_with_its_question_and_its_end():
    asked = {**EMPTY, "goal": {**messages.goal(goal()), "silent": False}}
    for part in ("clear the table (asking, done: 1)", "[b]block[/b]?"):
        assert part in text(asked)
    over = goal(state=5, result=7, result_text="no plan leads there", question="")
    shown = text({**EMPTY, "goal": {**messages.goal(over), "silent": False}})
    assert "failed" in shown
    assert "no plan leads" in shown
    assert "silent" in text({**EMPTY, "goal": {**messages.goal(over), "silent": True}})


def test_a_goal_of_many_steps_is_cut_to_the_latest_and_its_numbers_are_finite():
    data = messages.goal(goal(steps=goal().steps * 500, decision_time=float("nan"), state=77))
    assert (len(data["steps"]), data["first"]) == (messages.MAX_STEPS, 501 - messages.MAX_STEPS)
    assert (data["cost"], data["decision_time"], data["state"], data["end"]) == (None, None, "77", "")
    step = {"text": "pick up the red block", "state": "done", "attempt": 1, "confidence": 0.9, "reason": "held"}
    assert data["steps"][0] == step


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_json_does_not_have_becomes_nothing(value):
    assert messages.finite(value) is None


def test_long_texts_are_cut_and_numbers_of_64_bits_stay_exact():
    status = controller()
    status.reason = "x" * 10_000
    data = messages.controller(status)
    assert len(data["reason"]) == messages.MAX_SHOWN
    assert data["sequence"] == "9223372036854775808"
    assert data["latency"] is None
