# SPDX-License-Identifier: Apache-2.0
"""`--vary` of demo and graph-eval reaches the graph as one argument, and nothing does without it."""

from pathlib import Path

import pytest
from vla_demo.ros import run
from vla_demo.ros.run import RunSettings

from vla_demo import cli


@pytest.fixture
def started(monkeypatch, tmp_path):
    """What `vla graph-eval` would start, by its arguments."""
    monkeypatch.setattr(run, "find_vla_up", lambda: Path("vla_up"))
    monkeypatch.setattr(cli, "private_environment", lambda *_: {})  # nothing of this process changes
    monkeypatch.setattr(cli.signal, "signal", lambda *_: None)

    def start(*words: str) -> tuple[str, ...]:
        kept: list[RunSettings] = []

        def keep(settings: RunSettings, *_: object) -> None:
            kept.append(settings)
            raise OSError("far enough")

        monkeypatch.setattr(run, "run", keep)
        assert cli.graph_eval([*words, "--out", str(tmp_path / "out.json")]) == 1
        return kept[0].command()

    return start


def test_words_become_one_argument(started):
    assert "variation:=trained camera.shift=0.0:0.02" in started("--vary", "trained", "camera.shift=0.0:0.02")


def test_without_it_the_table_is_the_plain_one(started):
    assert not [word for word in started() if word.startswith("variation")]
