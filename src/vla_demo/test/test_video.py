# SPDX-License-Identifier: Apache-2.0
"""The video: frames in real time, nothing shown before it was known, a file that players play."""

import subprocess
import time
from dataclasses import replace
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from vla_demo.picture.drawing import BODY, HEIGHT, LEFT, TOP, WIDTH, draw
from vla_demo.picture.live_video import LAG_S, LiveVideo
from vla_demo.picture.pictures import decode_jpeg, encode_jpeg, fit
from vla_demo.picture.video import AFTER_S, BEFORE_S, FPS, Views, scene_at
from vla_demo.run.samples import Recording
from vla_demo.run.session import LINGER_S, Current


def partly(recording: Recording, now: float) -> tuple[Recording, Current | None]:
    """What was known at `now` [s], and what ran then."""
    heard = {
        name: [sample for sample in getattr(recording, name) if sample.stamp <= now]
        for name in ("controller", "chunks", "policy", "task", "viewer", "policy_view")
    }
    ended = [episode for episode in recording.episodes if episode.end + LINGER_S <= now]
    number = len(ended)
    current = None
    if number < len(recording.episodes) and recording.episodes[number].first_start <= now:
        episode = recording.episodes[number]
        if episode.replaced and now < episode.start:
            current = Current(number + 1, 2, episode.replaced, episode.replaced_start)
        else:
            current = Current(number + 1, 2, episode.instruction, episode.start, episode.replaced)
    return Recording(joint_names=recording.joint_names, episodes=ended, **heard), current


def test_what_is_drawn_during_the_run_is_what_would_be_drawn_after_it(recording: Recording) -> None:
    video = LiveVideo(recording, "rt1", len(recording.episodes), Path("unused.mp4"))
    start = recording.episodes[0].first_start - BEFORE_S
    for index in range(int((recording.episodes[-1].end + AFTER_S - start) * FPS)):
        time = start + index / FPS
        known, current = partly(recording, time + LAG_S)
        video._recording = known
        video.show(current)
        live = scene_at(known, "rt1", time, None, None, video._known(), 2)
        assert live == scene_at(recording, "rt1", time, None, None), time - start


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
    video = LiveVideo(recording, "rt1", 1, path)
    count = video.finish(shares.append)
    assert count == len(shares) == np.ceil((1.0 + BEFORE_S + AFTER_S) * FPS)
    assert shares[-1] == 1.0
    assert [entry.name for entry in tmp_path.iterdir()] == ["v.mp4"]
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
    assert LiveVideo(recording, "rt1", 2, tmp_path / "v.mp4").finish() == 0
    assert not list(tmp_path.iterdir())


def test_frames_are_drawn_while_the_run_goes_on_and_an_interrupted_one_leaves_no_file(
    recording: Recording, tmp_path: Path
) -> None:
    episode = recording.episodes[0]
    video = LiveVideo(recording, "rt1", 2, tmp_path / "v.mp4", now=lambda: episode.first_start + LAG_S + 1.0)
    video.show(Current(1, 2, episode.instruction, episode.start))
    video.start()
    deadline = time.monotonic() + 60.0
    while video.frames < (1.0 + BEFORE_S) * FPS - 1 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert video.frames >= (1.0 + BEFORE_S) * FPS - 1, video.error
    assert video.frames <= (1.0 + BEFORE_S) * FPS + 1  # not ahead of what is known
    video.abandon()
    assert not list(tmp_path.iterdir())


def test_a_missing_view_leaves_the_other(recording: Recording) -> None:
    recording.viewer = []
    viewer, policy_view = Views(recording).at(recording.episodes[0].start)
    assert viewer is None
    assert policy_view is not None
