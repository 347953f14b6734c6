# SPDX-License-Identifier: Apache-2.0
"""`vla dagger --from`: what people did when they took over becomes a data set that can be trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from vla_training.cli import main
from vla_training.data.bags import testing as bags
from vla_training.data.bags.corrections import corrections
from vla_training.data.bags.episode import INTERVENTION, Episode
from vla_training.data.lerobot.schema import ACTION, SUCCESS, DatasetError


def taken_over(folder: Path, first: float, last: float) -> Path:
    def change(topic: str, number: int, content: dict) -> int:
        if topic == bags.STATUS:
            content["intervention"] = first <= number / 20.0 < last
        return 0

    return bags.write_bag(folder, change=change)


def test_the_frames_of_a_person_become_episodes_of_their_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    taken_over(tmp_path / "in/episode_000000", 0.6, 1.3)
    taken_over(tmp_path / "in/episode_000001", 9.0, 9.0)  # nobody
    taken_over(tmp_path / "in/episode_000002", 1.0, 9.0)  # to the end, which was a success
    words = ["--from", str(tmp_path / "in"), "--out", str(tmp_path / "set"), "--map", "rt1"]
    assert main(["dagger", *words]) == 1
    assert "episode_000001: refused: nobody took over" in capsys.readouterr().err
    rows = pq.read_table(next((tmp_path / "set").glob("data/*/*.parquet"))).to_pylist()
    lengths = [sum(row["episode_index"] == number for row in rows) for number in range(2)]
    assert lengths == [4, 5]  # at 5 Hz
    assert all(row["intervention"] for row in rows)
    assert [row["frame_index"] for row in rows if row["next.success"]] == [4]
    np.testing.assert_allclose(rows[0]["observation.state"][0], bags.position(0.6), atol=1e-6)
    assert main(["dagger", *words]) == 1
    assert "is in" in capsys.readouterr().out  # nothing is added twice


@given(st.lists(st.booleans(), min_size=1, max_size=30), st.sampled_from([True, False, None]))
def test_each_frame_of_a_person_is_kept_once_unless_it_stands_alone(taken: list[bool], success: bool | None) -> None:
    flags = np.array(taken)
    columns = {ACTION: np.arange(len(taken))[:, None], INTERVENTION: flags, SUCCESS: np.zeros(len(taken), bool)}
    episode = Episode("task", columns, success, 0.2 * (len(taken) - 1))
    before, after = np.append(False, flags[:-1]), np.append(flags[1:], False)
    wanted = np.flatnonzero(flags & (before | after))
    if not len(wanted):
        with pytest.raises(DatasetError):
            corrections(episode)
        return
    found = corrections(episode)
    np.testing.assert_array_equal(np.concatenate([part.columns[ACTION][:, 0] for part in found]), wanted)
    for part in found:
        is_last = part.columns[ACTION][-1, 0] == len(taken) - 1
        assert part.success == (success if is_last else None)
        assert part.columns[SUCCESS].sum() == (1 if is_last and success else 0)
