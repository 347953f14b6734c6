# SPDX-License-Identifier: Apache-2.0
"""The LeRobotDataset v3.0 folder: what goes in comes out, others read it, interruptions neither lose nor double."""

from __future__ import annotations

import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from vla_sim.task.task import Task
from vla_training.data.lerobot.schema import ACTION, IMAGE, STATE
from vla_training.data.lerobot.writer import DatasetError, DatasetWriter, open_dataset

SUMMARY = ("info.json", "stats.json")
ARRAYS = ("joints", "tcp", "width", "blocks", "bowl", "actions")


def test_round_trip(make_dataset, make_record):
    dataset = open_dataset(make_dataset(frames=3))
    records = list(dataset.records())
    assert len(records) == 5
    assert dataset.frames == 15
    for seed, record in enumerate(records):
        wanted = make_record(seed, frames=3)
        np.testing.assert_array_equal(record.images, wanted.images)
        for name in ARRAYS:
            np.testing.assert_allclose(getattr(record, name), getattr(wanted, name), atol=1e-6, err_msg=name)
        assert (record.task, record.text, record.success) == (wanted.task, wanted.text, wanted.success)
    assert not len(next(iter(dataset.records(images=False))).images)


def test_plain_pyarrow_reads_it(make_dataset, make_record):
    folder = make_dataset(seeds=range(3))
    info = json.loads((folder / "meta/info.json").read_text())
    assert (info["codebase_version"], info["total_episodes"], info["total_frames"]) == ("v3.0", 3, 12)
    files = sorted(folder.glob("data/*/*.parquet"))
    table = pa.concat_tables([pq.read_table(file) for file in files])
    assert set(table.column_names) == set(info["features"])
    assert table["index"].to_pylist() == list(range(12))
    assert table["timestamp"].to_pylist()[:4] == pytest.approx([0.0, 0.2, 0.4, 0.6])
    assert len(table[STATE][0]) == info["features"][STATE]["shape"][0] == len(info["features"][STATE]["names"])
    picture = np.asarray(Image.open(io.BytesIO(table[IMAGE][5].as_py()["bytes"])))
    np.testing.assert_array_equal(picture, make_record(1).images[1])


def test_pandas_index_of_the_task_table(make_dataset):
    """LeRobot reads tasks.parquet with pandas and expects the text as index."""
    about = json.loads(pq.read_schema(make_dataset() / "meta/tasks.parquet").metadata[b"pandas"])
    assert about["index_columns"] == ["task"]
    assert {column["field_name"] for column in about["columns"]} == {"task", "task_index"}


def test_statistics_are_those_of_all_frames(make_dataset, make_record):
    stats = json.loads((make_dataset() / "meta/stats.json").read_text())[ACTION]
    actions = np.concatenate([make_record(seed).actions for seed in range(5)])
    for name in ("min", "max", "mean", "std"):
        np.testing.assert_allclose(stats[name], getattr(actions, name)(0), rtol=1e-5, err_msg=name)
    assert stats["count"] == [20]


def test_continued_folder_equals_one_written_at_once(make_dataset):
    once, continued = make_dataset("once", range(6)), make_dataset("continued", range(4))
    with DatasetWriter(continued, "fr3", group=2) as writer:
        assert writer.seeds == set(range(4))
    make_dataset("continued", range(4, 6))
    info, stats = ([json.loads((f / "meta" / name).read_text()) for f in (once, continued)] for name in SUMMARY)
    assert info[0] == info[1]
    for feature, parts in stats[0].items():
        for name, values in parts.items():
            np.testing.assert_allclose(values, stats[1][feature][name], atol=1e-12, err_msg=f"{feature} {name}")
    for path in sorted(once.glob("data/*/*.parquet")):
        assert pq.read_table(path).equals(pq.read_table(continued / path.relative_to(once)))


def test_killed_between_frames_and_rows(make_dataset):
    """Frames whose episode rows were never written, and a half-written file, do not count and do not disturb."""
    folder = make_dataset(seeds=range(4))
    (folder / "meta/episodes/chunk-000/file-001.parquet").unlink()
    (folder / "data/chunk-000/.file-002.parquet.tmp").write_bytes(b"half")
    with DatasetWriter(folder, "fr3", group=2) as writer:
        assert writer.seeds == {0, 1}
    assert json.loads((folder / "meta/info.json").read_text())["total_frames"] == 8
    assert [path.name for path in (folder / "data/chunk-000").iterdir()] == ["file-000.parquet"]
    make_dataset(seeds=range(2, 4))
    assert len(list(open_dataset(folder).records())) == 4


def test_one_writer_a_folder(make_dataset):
    folder = make_dataset()
    with DatasetWriter(folder, "fr3"), pytest.raises(DatasetError, match="another process"):
        DatasetWriter(folder, "fr3")


def test_refuses_what_does_not_fit(make_dataset, make_record, tmp_path):
    folder = make_dataset()
    with pytest.raises(DatasetError, match=r"fr3.*wx250s"):
        DatasetWriter(folder, "wx250s")
    with DatasetWriter(folder, "fr3") as writer:
        with pytest.raises(DatasetError, match="wx250s"):
            writer.add(make_record(robot="wx250s"))
        with pytest.raises(DatasetError, match="48 x 64"):
            writer.add(make_record(size=(48, 64)))
    with pytest.raises(DatasetError, match="vla data"):
        open_dataset(tmp_path / "nothing")


@pytest.mark.parametrize("name", ["data/chunk-000/file-001.parquet", "meta/episodes/chunk-000/file-001.parquet"])
@pytest.mark.parametrize("damage", ["truncated", "missing bytes"])
def test_damaged_file_is_named(make_dataset, name, damage):
    folder = make_dataset()
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 2] if damage == "truncated" else b"")
    with pytest.raises(DatasetError, match=r"file-001\.parquet"):
        list(open_dataset(folder).records())


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "not the description"), ("[]", "not the description"), ('{"codebase_version": "v2.1"}', "description")],
)
def test_damaged_description_is_named(make_dataset, text, message):
    folder = make_dataset()
    (folder / "meta/info.json").write_text(text)
    with pytest.raises(DatasetError, match=message):
        open_dataset(folder)


def test_other_version_is_refused_with_the_valid_one(make_dataset):
    path = make_dataset() / "meta/info.json"
    path.write_text(path.read_text().replace('"v3.0"', '"v2.1"'))
    with pytest.raises(DatasetError, match=r"v2\.1.*v3\.0"):
        open_dataset(path.parents[1])


def test_tasks_are_numbered_by_their_text(make_dataset, make_record):
    folder = make_dataset(seeds=[0])
    with DatasetWriter(folder, "fr3") as writer:
        writer.add(make_record(1, task=Task("push", "blue block", "left")), 1)
    table = pq.read_table(folder / "meta/tasks.parquet").to_pydict()
    assert table == {"task_index": [0, 1], "task": ["pick up the red block", "push the blue block to the left"]}
