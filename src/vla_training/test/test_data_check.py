# SPDX-License-Identifier: Apache-2.0
"""`vla data check` names the faulty episode, in sets of v3.0 and v2.1."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from vla_training.cli import main
from vla_training.data.bags import testing as bags


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(3):
        bags.write_bag(tmp_path / "in" / f"episode_{number:06d}", custom={"task": f"task {number}"})
    words = [str(tmp_path / "in"), "--out", str(tmp_path / "set"), "--map", "rt1", "--video"]
    assert main(["data", "convert", *words]) == 0
    return tmp_path / "set"


def change(folder: Path, pattern: str, edit) -> None:
    path = next(folder.glob(pattern))
    table = pq.read_table(path)
    rows = table.to_pylist()
    edit(rows)
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path)


def nan_action(rows) -> None:
    next(row for row in rows if row["episode_index"] == 1 and row["frame_index"] == 4)["action"][2] = np.nan


def no_task(rows) -> None:
    rows[2]["tasks"] = []


def test_a_good_set_passes_and_is_described(folder: Path, capsys) -> None:
    assert main(["data", "check", str(folder)]) == 0
    said = capsys.readouterr().out
    assert "3 episodes, 30 frames, 6.0 s" in said
    assert "observation.images.front: video [128, 160, 3]" in said
    assert "0 of 3" in said


@pytest.mark.parametrize(
    ("pattern", "edit", "said"),
    [
        ("data/*/*.parquet", nan_action, "episode 1: frame 4: action is"),
        ("data/*/*.parquet", lambda rows: rows.pop(), "episode 2: 9 frames, and its row says 10"),
        ("meta/episodes/*/*.parquet", no_task, "episode 2: no task text"),
    ],
)
def test_the_faulty_episode_is_named(folder: Path, capsys, pattern: str, edit, said: str) -> None:
    change(folder, pattern, edit)
    assert main(["data", "check", str(folder)]) == 1
    out = capsys.readouterr().out
    assert said in out
    assert "1 of 3 episodes are faulty" in out


def test_cut_files_and_short_videos_are_told(folder: Path, capsys) -> None:
    video = next(folder.glob("videos/*/*/*.mp4"))
    video.write_bytes(video.read_bytes()[:3000])
    data = next(folder.glob("data/*/*.parquet"))
    assert main(["data", "check", str(folder)]) == 1
    assert "3 of 3 episodes are faulty" in capsys.readouterr().out
    data.write_bytes(data.read_bytes()[:-50])
    assert main(["data", "check", str(folder)]) == 1
    assert "is missing or damaged" in capsys.readouterr().out


def test_a_set_of_version_2_1_is_read_and_of_1_6_refused(tmp_path: Path, capsys) -> None:
    features = {"action": {"dtype": "float32", "shape": [2]}, "timestamp": {"dtype": "float32", "shape": [1]}}
    info = {"codebase_version": "v2.1", "fps": 10, "robot_type": "so101", "features": features, "chunks_size": 1000}
    info["data_path"] = "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet"
    (tmp_path / "meta").mkdir()
    (tmp_path / "data" / "chunk-000").mkdir(parents=True)
    rows = [{"episode_index": i, "tasks": ["t"], "length": 3} for i in range(2)]
    (tmp_path / "meta" / "episodes.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "meta" / "info.json").write_text(json.dumps(info))
    for i in range(2):
        wide = 2 + i  # the second has an action of another width
        columns = {"action": [[0.0] * wide] * 3, "timestamp": [0.0, 0.1, 0.2], "episode_index": [i] * 3}
        pq.write_table(pa.table(columns), tmp_path / "data" / "chunk-000" / f"episode_{i:06d}.parquet")
    assert main(["data", "check", str(tmp_path)]) == 1
    assert "episode 1: frame 0: action is width 3, valid [2]" in capsys.readouterr().out
    (tmp_path / "meta" / "info.json").write_text(json.dumps(info | {"codebase_version": "v1.6"}))
    assert main(["data", "check", str(tmp_path)]) == 2
    assert "'v1.6'; valid: v3.0, v2.1" in capsys.readouterr().err
