# SPDX-License-Identifier: Apache-2.0
"""A recording is the same after it was kept in a file, and `vla plot` draws it from there."""

from dataclasses import fields, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from vla_demo.plot import main as plot
from vla_demo.run.recording_file import FILE, RecordingError, load_recording, save_recording
from vla_demo.run.samples import Recording


def same(a: object, b: object) -> bool:
    return all(
        np.array_equal(np.asarray(x), np.asarray(y), equal_nan=isinstance(x, float | np.ndarray))
        for x, y in ((getattr(a, item.name), getattr(b, item.name)) for item in fields(a))
    )


def test_what_is_kept_comes_back(recording: Recording, tmp_path: Path) -> None:
    path = tmp_path / "new" / FILE
    recording.controller[3] = replace(recording.controller[3], reference=np.zeros(0), measured=np.zeros(0))
    save_recording(recording, "a title", path)
    loaded, title = load_recording(path)
    assert title == "a title"
    assert loaded.joint_names == recording.joint_names
    for before, after in zip(recording.episodes, loaded.episodes, strict=True):
        assert same(before, after)
    for name in ("controller", "policy", "task"):
        pairs = zip(getattr(recording, name), getattr(loaded, name), strict=True)
        assert all(same(before, after) for k, (before, after) in enumerate(pairs) if (name, k) != ("controller", 3))
    assert np.isnan(loaded.controller[3].reference).all()
    assert [c.observation_stamp for c in loaded.chunks] == [c.observation_stamp for c in recording.chunks]
    assert [entry.name for entry in path.parent.iterdir()] == [FILE]


def test_a_recording_from_before_the_legal_mass_can_still_be_drawn(recording: Recording, tmp_path: Path) -> None:
    save_recording(recording, "a title", tmp_path / FILE)
    with np.load(tmp_path / FILE) as archive:
        arrays = {name: archive[name] for name in archive.files if name != "policy.legal_mass"}
    np.savez(tmp_path / "old.npz", **arrays)
    loaded, _ = load_recording(tmp_path / "old.npz")
    assert [sample.stamp for sample in loaded.policy] == [sample.stamp for sample in recording.policy]
    assert all(np.isnan(sample.legal_mass) for sample in loaded.policy)


def test_an_empty_recording_too(tmp_path: Path) -> None:
    save_recording(Recording(), "", tmp_path / FILE)
    assert load_recording(tmp_path / FILE)[0] == Recording()


def test_plot_draws_a_folder_and_a_file(recording: Recording, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    save_recording(recording, "a title", tmp_path / FILE)
    save_recording(recording, "a title", tmp_path / "graph_eval.npz")
    assert plot([str(tmp_path)]) == 0
    assert plot([str(tmp_path / "graph_eval.npz")]) == 0
    for name in ("timeline.png", "graph_eval.png"):
        assert cv2.imread(str(tmp_path / name)).std() > 10


@pytest.mark.parametrize("content", [None, b"no archive"])
def test_no_recording_is_said_in_one_line(content: bytes | None, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    if content is not None:
        (tmp_path / FILE).write_bytes(content)
    assert plot([str(tmp_path)]) == 2
    assert "is no recording of a run" in capsys.readouterr().err
    with pytest.raises(RecordingError):
        load_recording(tmp_path / FILE)


def test_pickles_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / FILE, title=np.array([{"a": 1}], dtype=object), joint_names=np.array(["a"]))
    with pytest.raises(RecordingError, match="pickle"):
        load_recording(tmp_path / FILE)
