# SPDX-License-Identifier: Apache-2.0
"""The figures of a run: they come from what was heard, in the time in which the arm was at work."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from vla_demo.run.samples import Recording, between, latest, within
from vla_demo.run.summary import per_family, policy_rate, stamp_to_setpoint, success_rate, summarize, write_json

KEYS = {
    "episodes",
    "success_rate",
    "policy_hz",
    "controller_hz",
    "controller_period_ms",
    "stamp_to_setpoint_ms",
    "real_time_factor",
    "policy",
    "robot",
}


def test_keys_and_figures_of_a_regular_run(recording: Recording) -> None:
    figures = summarize(recording, "rt1", "fr3")
    assert set(figures) == KEYS
    assert figures["success_rate"] == 0.5
    assert figures["policy_hz"] == pytest.approx(5.0, abs=0.01)
    assert figures["controller_hz"] == pytest.approx(20.0)
    assert {"p50", "p99", "max"} <= set(figures["controller_period_ms"])
    assert figures["stamp_to_setpoint_ms"]["p50"] == pytest.approx(280)
    assert figures["real_time_factor"] == pytest.approx(0.99)
    for episode in figures["episodes"]:
        assert {"instruction", "family", "success", "seconds"} <= set(episode)
    assert figures["episodes"][0]["seconds"] == 3.5


def test_one_long_period_shows_in_the_maximum_and_not_in_the_median(recording: Recording) -> None:
    recording.controller[20] = replace(recording.controller[20], tick_period=0.2)
    period = summarize(recording, "rt1", "fr3")["controller_period_ms"]
    assert period["p50"] == pytest.approx(50)
    assert period["max"] == pytest.approx(200)
    assert period["p50"] <= period["p99"] <= period["max"]


def test_what_happens_between_episodes_does_not_count(recording: Recording) -> None:
    before = summarize(recording, "rt1", "fr3")
    index = next(i for i, tick in enumerate(recording.controller) if 4.2 < tick.stamp - 1_000_000 < 4.8)
    recording.controller[index] = replace(recording.controller[index], tick_period=9.0)
    assert summarize(recording, "rt1", "fr3") == before


def test_a_stall_lowers_the_policy_rate(recording: Recording) -> None:
    spans = recording.spans()
    kept = [chunk for chunk in recording.chunks if not 1.0 < chunk.stamp - 1_000_000 < 3.0]
    assert policy_rate(kept, spans) < 0.85 * policy_rate(recording.chunks, spans)


def test_each_chunk_counts_once(recording: Recording) -> None:
    assert len(stamp_to_setpoint(recording.controller)) == len({t.chunk_sequence for t in recording.controller}) - 1


def test_an_empty_run_has_no_figures_and_is_still_json(tmp_path: Path) -> None:
    figures = summarize(Recording(), "rt1", "fr3")
    path = tmp_path / "deep" / "summary.json"
    write_json(figures, path)
    read = json.loads(path.read_text())
    assert set(read) == KEYS
    assert read["policy_hz"] is None
    assert read["controller_period_ms"] == {"p50": None, "p99": None, "max": None}


def test_nan_never_reaches_the_file(recording: Recording, tmp_path: Path) -> None:
    recording.controller = [replace(tick, tick_period=math.nan) for tick in recording.controller]
    write_json(summarize(recording, "rt1", "fr3"), tmp_path / "f.json")
    assert "NaN" not in (tmp_path / "f.json").read_text()


def test_families_add_up(recording: Recording) -> None:
    families = per_family(recording.episodes)
    assert sum(entry["episodes"] for entry in families.values()) == len(recording.episodes)
    good = sum(entry["successes"] for entry in families.values())
    assert good == success_rate(recording.episodes) * len(recording.episodes)


def test_samples_in_time(recording: Recording) -> None:
    chunks = recording.chunks
    assert latest(chunks, chunks[0].stamp - 1) is None
    assert latest(chunks, chunks[3].stamp) is chunks[3]
    assert between(chunks, chunks[3].stamp, chunks[7].stamp) == chunks[3:8]
    assert list(within(chunks, [(chunks[0].stamp, chunks[1].stamp), (math.inf, math.inf)])) == chunks[:2]
