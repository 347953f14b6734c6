# SPDX-License-Identifier: Apache-2.0
"""The video: frames in real time, nothing shown before it was known, a file that players play."""

import subprocess
from dataclasses import replace
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from vla_demo.picture.drawing import BODY, HEIGHT, LEFT, TOP, WIDTH, draw
from vla_demo.picture.pictures import decode_jpeg, encode_jpeg, fit
from vla_demo.picture.video import FPS, frame_times, pictures, scene_at, write_video
from vla_demo.run.samples import Recording


def test_frames_are_evenly_spaced_over_the_whole_run(recording: Recording) -> None:
    times = frame_times(recording)
    assert np.allclose(np.diff(times), 1 / FPS)
    assert times[0] < recording.episodes[0].first_start
    assert times[-1] >= recording.episodes[-1].end


def test_nothing_is_shown_before_it_is_known(recording: Recording) -> None:
    first, second = recording.episodes
    early = scene_at(recording, "rt1", first.end - 0.01, None, None)
    assert early.results == (None, None)
    assert early.outcome is None
    assert scene_at(recording, "rt1", first.end, None, None).results == (True, None)
    before = scene_at(recording, "rt1", second.start - 0.01, None, None)
    assert (before.instruction, before.replaced) == ("push it", "")
    after = scene_at(recording, "rt1", second.start + 0.01, None, None)
    assert (after.instruction, after.replaced) == (second.instruction, "push it")


def test_old_tokens_are_not_shown_as_new_ones(recording: Recording) -> None:
    time = recording.episodes[0].start + 1.0
    assert scene_at(recording, "rt1", time, None, None).chunk
    recording.chunks = [chunk for chunk in recording.chunks if chunk.stamp < time - 1.5]
    assert not scene_at(recording, "rt1", time, None, None).chunk


def test_between_episodes_no_instruction_is_shown(recording: Recording) -> None:
    moved = replace(recording.episodes[1], replaced_start=recording.episodes[0].end + 5)
    recording.episodes[1] = moved
    scene = scene_at(recording, "rt1", recording.episodes[0].end + 2, None, None)
    assert scene.number == 0
    assert draw(scene).shape == (HEIGHT, WIDTH, 3)


def test_views_are_where_they_belong_and_elapsed_is_drawn(recording: Recording) -> None:
    red = np.full((120, 160, 3), (250, 10, 10), np.uint8)
    blue = np.full((90, 90, 3), (10, 10, 250), np.uint8)
    picture = draw(scene_at(recording, "rt1", recording.episodes[0].start + 1, red, blue))
    assert picture.dtype == np.uint8
    assert np.array_equal(picture[TOP + BODY // 2, LEFT // 2], (250, 10, 10))
    assert np.array_equal(picture[TOP + 150, (LEFT + WIDTH) // 2], (10, 10, 250))
    later = draw(scene_at(recording, "rt1", recording.episodes[0].start + 2, red, blue))
    assert not np.array_equal(picture, later)


@pytest.mark.parametrize("length", [0, 3, 500])
def test_any_instruction_and_any_number_of_tokens_fit(recording: Recording, length: int) -> None:
    scene = scene_at(recording, "rt1", recording.episodes[0].start + 1, None, None)
    assert scene.chunk
    many = replace(scene.chunk, tokens=(255,) * 40, dimension_names=("long" * 9,) * 40, probabilities=(1.0,) * 40)
    for chunk in (many, replace(many, probabilities=()), replace(many, tokens=(), gripper=0.3), None):
        assert draw(replace(scene, instruction="w" * length, chunk=chunk)).shape == (HEIGHT, WIDTH, 3)


@pytest.mark.parametrize("shape", [(10, 10), (300, 20), (7, 400)])
def test_fitting_keeps_the_proportions(shape: tuple[int, int]) -> None:
    fitted = fit(np.full((*shape, 3), 255, np.uint8), 100, 100, (0, 0, 0))
    rows, columns = np.nonzero(fitted[:, :, 0])
    height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
    assert max(height, width) == 100
    assert min(height, width) == pytest.approx(max(1, 100 * min(shape) / max(shape)), abs=1)


def test_a_picture_survives_being_kept() -> None:
    ramp = np.linspace(0, 255, 64, dtype=np.uint8)
    image = np.stack(np.broadcast_arrays(ramp[:, None], ramp[None, :], np.uint8(90)), axis=-1)
    frame = encode_jpeg(np.ascontiguousarray(image), 3.0)
    assert frame.stamp == 3.0
    assert np.abs(decode_jpeg(frame).astype(int) - image).mean() < 4


def test_the_file_plays(recording: Recording, tmp_path: Path) -> None:
    recording.episodes = [replace(recording.episodes[0], end=recording.episodes[0].start + 1.0)]
    shares: list[float] = []
    path = tmp_path / "v.mp4"
    count = write_video(recording, "rt1", path, shares.append)
    assert count == len(shares) == len(frame_times(recording))
    assert shares[-1] == 1.0
    account = subprocess.run(
        [imageio_ffmpeg.get_ffmpeg_exe(), "-i", str(path), "-f", "null", "-"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stderr
    assert "h264" in account
    assert "yuv420p" in account
    assert f"{WIDTH}x{HEIGHT}" in account
    assert f"{FPS} fps" in account
    assert f"frame={count:5d}" in account


def test_without_pictures_there_is_no_video(recording: Recording, tmp_path: Path) -> None:
    recording.viewer, recording.policy_view = [], []
    assert write_video(recording, "rt1", tmp_path / "v.mp4", lambda share: None) == 0
    assert not list(tmp_path.iterdir())


def test_a_missing_view_leaves_the_other(recording: Recording) -> None:
    recording.viewer = []
    assert len(list(pictures(recording, "rt1", frame_times(recording)[:3]))) == 3
