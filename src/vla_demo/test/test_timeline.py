# SPDX-License-Identifier: Apache-2.0
"""The timeline: every joint has its curves, the seams are where chunks came, nothing breaks on gaps."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from vla_demo.picture.timeline import SEAM_COLOR, detail_window, draw_timeline, write_timeline
from vla_demo.run.samples import Recording


def test_curves_of_every_joint_and_seams_only_in_the_detail(recording: Recording) -> None:
    start, end = recording.episodes[0].start, recording.episodes[-1].end
    figure = draw_timeline(recording, "title", start, end)
    axes = np.array(figure.axes).reshape(-1, 2)
    low, high = detail_window(recording)
    seams = [chunk for chunk in recording.chunks if low <= chunk.stamp <= high]
    for row in range(len(recording.joint_names)):
        curves = [[line for line in axis.lines if len(line.get_xdata()) > 2] for axis in axes[row]]
        assert [len(some) for some in curves] == [3, 3]
        drawn = [[line for line in axis.lines if line.get_color() == SEAM_COLOR] for axis in axes[row]]
        assert [len(some) for some in drawn] == [0, len(seams)]


def test_the_detail_shows_the_change_of_instruction(recording: Recording) -> None:
    low, high = detail_window(recording)
    assert low <= recording.episodes[1].start <= high
    recording.episodes.pop()
    low, high = detail_window(recording)
    assert low == recording.episodes[0].start


def test_the_file_is_a_readable_picture(recording: Recording, tmp_path: Path) -> None:
    path = tmp_path / "new" / "t.png"
    assert write_timeline(recording, "title", path)
    image = cv2.imread(str(path))
    assert image.shape[1] > 1500
    assert image.std() > 10


def test_ticks_without_joints_are_left_out(recording: Recording, tmp_path: Path) -> None:
    recording.controller[30] = replace(recording.controller[30], reference=np.empty(0), measured=np.empty(0))
    assert write_timeline(recording, "title", tmp_path / "t.png")


def test_nothing_heard_nothing_written(tmp_path: Path, recording: Recording) -> None:
    assert not write_timeline(Recording(), "title", tmp_path / "t.png")
    recording.controller = []
    assert not write_timeline(recording, "title", tmp_path / "t.png")
    assert not list(tmp_path.iterdir())


def test_a_joint_at_rest_looks_at_rest(recording: Recording) -> None:
    rest = np.zeros(3)
    recording.controller = [
        replace(tick, reference=rest, setpoint=rest + 1e-12, measured=rest) for tick in recording.controller
    ]
    figure = draw_timeline(recording, "title", recording.episodes[0].start, recording.episodes[-1].end)
    low, high = figure.axes[0].get_ylim()
    assert high - low >= 0.049
