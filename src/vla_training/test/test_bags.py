# SPDX-License-Identifier: Apache-2.0
"""Bags to data sets: resampling, exact numbers and images, and what is refused with its frame."""

import math
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from vla_training.cli import main
from vla_training.data.bags import resample
from vla_training.data.bags import testing as bags
from vla_training.data.lerobot.video import read_video

stamps = st.lists(st.integers(0, 10**10), min_size=1, max_size=40, unique=True).map(lambda x: np.array(sorted(x)))
times = st.lists(st.integers(0, 10**10), min_size=1, max_size=20).map(lambda x: np.array(sorted(x)))


@given(stamps, times)
def test_nearest_is_nearest_and_latest_is_not_after(known, wanted) -> None:
    distance = np.abs(known[None] - wanted[:, None])
    np.testing.assert_array_equal(
        distance[np.arange(len(wanted)), resample.nearest(known, wanted)], distance.min(axis=1)
    )
    chosen = resample.latest(known, wanted)
    for index, time in zip(chosen, wanted, strict=True):
        assert known[index] == max([s for s in known if s <= time], default=known[0])


@given(stamps, times, st.floats(-5, 5), st.floats(-5, 5))
def test_lines_are_kept_and_never_left(known, wanted, slope, offset) -> None:
    line = slope * known / 1e9 + offset
    inside = np.clip(wanted, known[0], known[-1])
    found = resample.linear(known, line[:, None], wanted)[:, 0]
    np.testing.assert_allclose(found, slope * inside / 1e9 + offset, atol=1e-6)


@given(stamps, times, st.integers(0, 99))
def test_poses_stay_unit_quaternions_and_hit_their_stamps(known, wanted, seed) -> None:
    numbers = np.random.default_rng(seed).normal(size=(len(known), 7))
    numbers[:, 3:] /= np.linalg.norm(numbers[:, 3:], axis=1, keepdims=True)
    found = resample.poses(known, numbers, wanted)
    np.testing.assert_allclose(np.linalg.norm(found[:, 3:], axis=1), 1.0)
    at = resample.poses(known, numbers, known)
    np.testing.assert_allclose(at[:, :3], numbers[:, :3], atol=1e-9)
    np.testing.assert_allclose(np.abs((at[:, 3:] * numbers[:, 3:]).sum(axis=1)), 1.0, atol=1e-9)


@given(st.integers(0, 10**18), st.floats(0, 100), st.floats(1, 60))
def test_a_grid_has_even_steps_and_stays_inside(first, seconds, rate) -> None:
    last = first + int(seconds * 1e9)
    grid = resample.grid(first, last, rate)
    assert grid[0] == first
    assert last - 1e9 / rate - 2 <= grid[-1] <= last + 1
    assert np.abs(np.diff(grid) - 1e9 / rate).max(initial=0.0) <= 1.0


def test_gaps_are_told_with_place_and_length() -> None:
    assert resample.gaps(np.array([0, 1, 2, 9, 10]) * 10**8, 0.2) == [(0.2, 0.7)]


def converted(out: Path, *words: object) -> int:
    return main(["data", "convert", *map(str, words), "--out", str(out), "--map", "rt1"])


def test_numbers_and_images_are_exact(tmp_path: Path, capsys) -> None:
    bag = bags.write_bag(tmp_path / "episode_000000")
    assert converted(tmp_path / "set", bag) == 0
    table = pq.read_table(next(tmp_path.glob("set/data/*/*.parquet")))
    rows = table.to_pylist()
    assert len(rows) == 10  # 2 s at 5 Hz, less the step that the last action needs
    for k, row in enumerate(rows):
        state, action = row["observation.state"], row["action"]
        np.testing.assert_allclose(state, [bags.position(k / 5), 0, 0.4, 1, 0, 0, 0, 0.04], atol=1e-6)
        np.testing.assert_allclose(action[:3], [0.05 / 5, 0, 0], atol=1e-6)
        assert action[6] == (1.0 if (k + 1) / 5 < 1.0 else 0.0)
        assert row["intervention"] == (1.0 <= k / 5 < 1.5)
        assert row["next.done"] == row["next.success"] == (k == len(rows) - 1)
    lines = (tmp_path / "set" / "meta" / "observation_map.yaml").read_text()
    assert "vla_observation_map/1" in lines
    assert "'push the block'" in capsys.readouterr().out
    assert converted(tmp_path / "set", bag) == 0  # again: nothing is doubled
    assert "already" in capsys.readouterr().out


def test_images_are_kept_bit_for_bit_and_nearly_as_video(tmp_path: Path) -> None:
    map_file = tmp_path / "own.yaml"
    map_file.write_text(
        "format: vla_observation_map/1\ncameras:\n  - {name: front, key: image, size: [48, 64], fit: stretch}\n"
        "state:\n  - {key: state, parts: [{part: joints}, {part: gripper, sense: open_1}]}\nprompt: prompt\n"
        "action: {mode: joint_position, parts: [{part: joints}, {part: gripper, sense: open_1}]}\nperiod_s: 0.05\n"
    )
    bag = bags.write_bag(tmp_path / "a")
    words = ["data", "convert", str(bag), "--map", str(map_file), "--out"]
    assert main([*words, str(tmp_path / "png")]) == 0
    rows = pq.read_table(next(tmp_path.glob("png/data/*/*.parquet"))).to_pylist()
    import cv2

    for k, row in enumerate(rows):
        cell = np.frombuffer(row["observation.images.front"]["bytes"], np.uint8)
        np.testing.assert_array_equal(cv2.imdecode(cell, cv2.IMREAD_COLOR)[:, :, ::-1], bags.image(k))
        np.testing.assert_allclose(row["action"][:7], [bags.position((k + 1) / 20)] * 7, atol=1e-6)
    assert main([*words, str(tmp_path / "video"), "--video"]) == 0
    frames = list(read_video(next(tmp_path.glob("video/videos/observation.images.front/*/*.mp4"))))
    assert len(frames) == len(rows)
    (row,) = pq.read_table(next(tmp_path.glob("video/meta/episodes/*/*.parquet"))).to_pylist()
    assert row["videos/observation.images.front/to_timestamp"] == len(rows) / 20


def leave_out(topic: str, first: int, last: int):
    return lambda name, number, content: None if name == topic and first <= number < last else 0


def make_nan(name: str, number: int, content) -> int:
    if name == bags.STATUS and number == 20:
        content["ee_setpoint"]["position"]["x"] = math.nan
    return 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rates": {bags.CAMERA: 0}}, "camera front of the map is /camera/image_raw"),
        ({"rates": {bags.STATUS: 0}}, "ControllerStatus"),
        ({"change": leave_out(bags.STATES, 50, 170)}, "/joint_states, joint fr3_joint1 is silent for 1.21 s"),
        (
            {"change": lambda name, number, _: 3 * 10**9 if name == bags.CAMERA and number > 9 else 0},
            "clock jumps by +3.0 s",
        ),
        ({"seconds": 0.3}, "valid: at least 2"),
        ({"change": make_nan}, "frame 4"),
        ({"custom": {"task": ""}}, "task is unknown"),
    ],
)
def test_bad_bags_are_refused_and_the_good_ones_kept(tmp_path: Path, capsys, changes, words: str) -> None:
    good, bad = bags.write_bag(tmp_path / "in" / "a"), bags.write_bag(tmp_path / "in" / "b", **changes)
    assert converted(tmp_path / "set", tmp_path / "in") == 1
    error = capsys.readouterr().err
    assert f"{bad}: refused" in error
    assert words in error
    assert str(good) not in error
    (row,) = pq.read_table(next(tmp_path.glob("set/meta/episodes/*/*.parquet"))).to_pylist()
    assert row["length"] == 10


def test_gaps_late_and_repeated_frames_are_reported(tmp_path: Path, capsys) -> None:
    def late(name: str, number: int, content) -> int | None:
        return (
            -(3 * 10**8)
            if name == bags.CAMERA and number >= 30
            else None
            if name == bags.POSE and 50 < number < 95
            else 0
        )

    assert converted(tmp_path / "set", bags.write_bag(tmp_path / "a", change=late)) == 0
    said = capsys.readouterr().out
    assert "/vla/ee_pose: 1 gaps, the longest 0.45 s" in said
    assert f"{bags.CAMERA}: 11 messages late" in said


def test_a_folder_of_other_features_is_left_as_it_is(tmp_path: Path, capsys) -> None:
    assert converted(tmp_path / "set", bags.write_bag(tmp_path / "a")) == 0
    before = sorted((path, path.stat().st_mtime_ns) for path in (tmp_path / "set").rglob("*.parquet"))
    assert main(["data", "convert", str(tmp_path / "a"), "--out", str(tmp_path / "set"), "--map", "openpi_bridge"]) == 2
    assert "features" in capsys.readouterr().err
    assert before == sorted((path, path.stat().st_mtime_ns) for path in (tmp_path / "set").rglob("*.parquet"))
