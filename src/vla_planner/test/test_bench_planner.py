# SPDX-License-Identifier: Apache-2.0
"""The bench of hosted minds in small: whatever the model says, no illegal step is executed and every goal ends."""

import json

import pytest
from vla_core.hosted import transport
from vla_planner.bench import trial
from vla_planner.bench.adversary import FAULTS, Adversary
from vla_planner.bench.command import MINDS, main, measure


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "FIRST_WAIT_S", 0.02)


@pytest.mark.parametrize("name", MINDS)
def test_no_illegal_step_is_executed(name: str):
    figures = measure(name, replies=60, seed=3)
    assert figures["illegal_steps_executed"] == 0
    assert figures["keys_in_messages"] == 0
    assert figures["steps_executed"] > 5  # the legal ones are
    assert figures["replies"] >= 60
    assert sum(figures["goals_by_code"].values()) == figures["goals"]
    assert "unknown" not in figures["goals_by_code"]  # every goal ended
    faulty = figures["replies"] - figures["replies_by_kind"]["as asked"]
    assert faulty > 15


def test_the_seed_gives_the_replies():
    first, second = Adversary(5), Adversary(5)
    schema = {"properties": {"holds": {}}}
    assert [first.make(schema) for _ in range(40)] == [second.make(schema) for _ in range(40)]
    assert first.served == second.served


def test_every_fault_is_served_in_time():
    adversary = Adversary(0)
    for _ in range(600):
        adversary.make({"properties": {"holds": {}}})
    assert set(adversary.served) == {*FAULTS, "as asked"}


def test_an_illegal_step_would_be_seen(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(trial, "legal", lambda scene: set())
    figures = measure("openai", replies=20, seed=1)
    assert figures["illegal_steps_executed"] == figures["steps_executed"] > 0


def test_the_command_writes_json(capsys: pytest.CaptureFixture[str]):
    assert main(["--replies", "10", "--planner", "openai", "--seed", "2"]) == 0
    written = json.loads(capsys.readouterr().out)
    assert written["illegal_steps_executed"] == 0
    assert set(written["minds"]) == {"openai"}
    with pytest.raises(SystemExit):
        main(["--replies", "0"])
