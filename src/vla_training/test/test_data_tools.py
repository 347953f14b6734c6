# SPDX-License-Identifier: Apache-2.0
"""Reading, joining, parting and looking at foreign data sets: a frame keeps its picture, its task and its action."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from vla_training.cli import main
from vla_training.data.lerobot.episodes import read_frames, read_pictures
from vla_training.data.lerobot.listing import open_listing
from vla_training.data.lerobot.schema import DatasetError
from vla_training.data.recorded import testing as sets

ROBOT = replace(sets.SO100_ROBOT, cameras=("front", "wrist"))


def episodes_seen(folder: Path, camera: str = "front") -> list[tuple[int, int, str]]:
    """Return for each episode what its action, its pictures and its task say which one it was when it was written."""
    listing = open_listing(folder)
    frames = [episode for episode in read_frames(listing, ["action"]) if not isinstance(episode, DatasetError)]
    wanted = {episode.number: np.arange(len(episode)) for episode in frames}
    greys = {
        number: np.array([int(image.mean().round()) for image in images])
        for number, images in read_pictures(listing, f"observation.images.{camera}", wanted)
    }
    seen = []
    for episode in frames:
        actions, count = episode.columns["action"], len(episode)
        by_action = next(k for k in range(9) if np.allclose(sets.positions(ROBOT, k, count + 1)[1:], actions))
        shown = [np.abs(greys[episode.number] - (20 * k + 20 + 2 * np.arange(count))).max() for k in range(9)]
        (text,) = set(episode.texts)
        seen.append((by_action, int(np.argmin(shown)), text))
        assert min(shown) <= 2  # H.264 is not exact
    return seen


def written(numbers: list[int]) -> list[tuple[int, int, str]]:
    return [(n, n, sets.TASKS[n % 2]) for n in numbers]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return sets.write_v30(tmp_path / "set", ROBOT, lengths=(9, 12, 10, 11), per_file=2)


@pytest.mark.parametrize("dtype", ["image", "video"])
def test_both_formats_are_read_with_pictures_in_the_rows_or_in_videos(tmp_path: Path, dtype: str) -> None:
    v21 = sets.write_v21(tmp_path / "v21", ROBOT, episodes=3, frames=9, dtype=dtype)
    v30 = sets.write_v30(tmp_path / "v30", ROBOT, lengths=(9, 10, 11), per_file=2, dtype=dtype)
    assert episodes_seen(v21) == episodes_seen(v21, "wrist") == written([0, 1, 2])
    assert episodes_seen(v30) == written([0, 1, 2])


def test_rows_that_begin_in_the_middle_of_a_video_and_come_in_any_order_are_read(folder: Path) -> None:
    """As after lerobot's delete_episodes: rows are renumbered, and videos keep frames that nobody names."""
    path = next(folder.glob("meta/episodes/*/*.parquet"))
    rows = pq.read_table(path).to_pylist()
    kept = [rows[3], rows[1]]
    tables = [pq.read_table(file) for file in sorted(folder.glob("data/*/*.parquet"))]
    frames = pa.concat_tables(tables).to_pylist()
    for number, row in enumerate(kept):
        for frame in frames:
            if frame["episode_index"] == row["episode_index"] and "new" not in frame:
                frame["new"] = number
        row |= {"data/file_index": 0}
    for number, row in enumerate(kept):
        row["episode_index"] = number
    chosen = [frame | {"episode_index": frame.pop("new")} for frame in frames if "new" in frame]
    pq.write_table(pa.Table.from_pylist(chosen), folder / "data/chunk-000/file-000.parquet")
    pq.write_table(pa.Table.from_pylist(kept), path)
    assert episodes_seen(folder) == written([3, 1])


def test_a_resumed_set_has_several_files_of_rows(folder: Path) -> None:
    path = next(folder.glob("meta/episodes/*/*.parquet"))
    rows = pq.read_table(path).to_pylist()
    for number, part in enumerate((rows[:2], rows[2:])):
        table = pa.Table.from_pylist([row | {f"stats/only_{number}/mean": [0.0]} for row in part])
        pq.write_table(table, path.with_name(f"file-{number:03d}.parquet"))
    assert episodes_seen(folder) == written([0, 1, 2, 3])


def test_merge_joins_both_formats_without_loss(folder: Path, tmp_path: Path) -> None:
    old = sets.write_v21(tmp_path / "old", ROBOT, episodes=2, frames=9, dtype="video")
    out = tmp_path / "merged"
    assert main(["data", "merge", str(folder), str(old), "--out", str(out)]) == 0
    assert episodes_seen(out) == episodes_seen(out, "wrist") == written([0, 1, 2, 3, 0, 1])
    assert main(["data", "check", str(out)]) == 0
    copies = {path.read_bytes() for path in out.glob("videos/*/*/*.mp4")}
    assert copies == {path.read_bytes() for source in (folder, old) for path in source.glob("videos/*/*/*.mp4")}
    info = json.loads((out / "meta/info.json").read_text())
    assert (info["codebase_version"], info["total_episodes"], info["total_frames"]) == ("v3.0", 6, 60)
    table = pa.concat_tables([pq.read_table(path) for path in sorted(out.glob("data/*/*.parquet"))])
    assert table["index"].to_pylist() == list(range(60))
    stats = json.loads((out / "meta/stats.json").read_text())
    np.testing.assert_allclose(stats["action"]["max"], np.max(table["action"].to_pylist(), axis=0), rtol=1e-6)


def test_split_takes_numbers_or_shares_and_loses_no_episode(folder: Path, tmp_path: Path) -> None:
    few, train, test = (tmp_path / name for name in ("few", "train", "test"))
    assert main(["data", "split", str(folder), "--out", str(few), "--episodes", "1-2", "0"]) == 0
    assert episodes_seen(few) == written([0, 1, 2])
    assert main(["data", "split", str(folder), "--out", str(train), str(test), "--shares", "0.75", "0.25"]) == 0
    assert sorted(episodes_seen(train) + episodes_seen(test)) == written([0, 1, 2, 3])
    assert len(episodes_seen(test)) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("merge {set} {aloha} --out {tmp}/new", "robot_type"),
        ("merge {set} --out {set}", "nothing is written over"),
        ("merge {set} {bad} --out {tmp}/new", "episode 2: frame 3: action is"),
        ("split {set} --out {tmp}/new --episodes 3-5", "has no episode 4; valid are 0 to 3"),
        ("split {set} --out {tmp}/new --episodes first", "valid is a number or FIRST-LAST"),
        ("split {set} --out {tmp}/new --shares 0.5 0.6", "sum to 1"),
        ("split {set} --out {tmp}/new", "either --episodes or --shares"),
        ("view {tmp} --out {tmp}/new", "no data set at"),
    ],
)
def test_what_cannot_be_done_is_refused_and_leaves_nothing(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: str, said: str
) -> None:
    aloha = sets.write_v21(tmp_path / "aloha", sets.ALOHA_ROBOT, episodes=1, frames=3)
    bad = sets.write_v30(tmp_path / "bad", ROBOT, lengths=(9, 9, 9), dtype="video")
    path = next(bad.glob("data/*/*.parquet"))
    rows = pq.read_table(path).to_pylist()
    rows[21]["action"][0] = float("inf")
    pq.write_table(pa.Table.from_pylist(rows), path)
    named = words.format(set=folder, aloha=aloha, bad=bad, tmp=tmp_path)
    assert main(["data", *named.split()]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
    assert not list(tmp_path.glob(".*tmp"))


def test_the_contact_sheet_shows_each_episode_and_camera(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "sheet.png"
    words = ["--out", str(out), "--episodes", "1", "3", "--frames", "4", "--height", "48"]
    assert main(["data", "view", str(folder), *words]) == 0
    drawn = cv2.imread(str(out))
    assert drawn.shape == (4 * (18 + 48 + 4), 4 * (64 + 4), 3)
    greys = [int(drawn[18 + 24 + line * 70, 32 + 68 * k].mean()) for line in (0, 2) for k in (0, 3)]
    assert greys == pytest.approx([40, 40 + 22, 80, 80 + 20], abs=3)


def test_info_says_what_a_set_holds(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "info", str(folder)]) == 0
    out = capsys.readouterr().out
    assert "4 episodes, 42 frames, 1.4 s" in out
    assert "'pick up the cube'" in out
