# SPDX-License-Identifier: Apache-2.0
"""`vla train rt1` on recorded actions of foreign data sets, and the checkpoint that acts afterwards."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from vla_core.action import ActionMode
from vla_core.robot import load_robot_config
from vla_policy.errors import ConfigurationError
from vla_policy.loading import load_policy, policy_settings
from vla_policy.policy import Observation, PolicyConfig
from vla_policy.registry import create
from vla_training.cli import main
from vla_training.data.recorded import testing as sets
from vla_training.run.run_log import TRAIN_LOG, VALIDATION_LOG, read

QUICK = ["--batch", "8", "--threads", "1", "--report-every", "4", "--validate-every", "50"]
FR3_WORDS = ["--action", "joint_position", "--unit", "rad", "--gripper", "open_1"]


def train(run: Path, data: list[Path | str], *words: str) -> int:
    return main(["train", "rt1", "--out", str(run), "--data", *map(str, data), *QUICK, *words])


@pytest.fixture(scope="module")
def fr3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sets.write_v30(tmp_path_factory.mktemp("fr3") / "set", sets.FR3_ROBOT)


@pytest.fixture(scope="module")
def run(fr3: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    assert train(folder, [fr3], "--steps", "20", *FR3_WORDS) == 0
    return folder


def observation(size: tuple[int, int] = (128, 160)) -> Observation:
    joints = sets.positions(sets.FR3_ROBOT, 0, 2)[0, :-1].astype(np.float64)
    tool = np.array([0.4, 0.0, 0.3]), np.array([1.0, 0.0, 0.0, 0.0])
    return Observation(0.0, {"front": np.full((*size, 3), 20, np.uint8)}, sets.FR3, joints, *tool, 0.08)


def test_the_loss_falls_and_figures_are_kept(run: Path) -> None:
    losses = [row["loss"] for row in read(run / TRAIN_LOG)]
    assert len(losses) == 5
    assert losses[-1] < 0.95 * losses[0]
    figures = read(run / VALIDATION_LOG)[-1]
    assert figures["step"] == 20
    assert 0.0 <= figures["error"] <= 1.0
    assert 0.0 <= figures["switch"] <= 1.0
    ahead = [row["ahead"] for row in read(run / TRAIN_LOG)]  # where it will be when the gripper next moves
    assert ahead[-1] < ahead[0]


def test_the_checkpoint_acts_in_the_units_and_the_range_of_its_data(run: Path) -> None:
    checkpoint = str(run / "checkpoint")
    policy = load_policy(policy_settings("rt1", "fr3", checkpoint=checkpoint, threads=1, device="cpu"))
    policy.reset("pick up the cube")
    chunk = policy.infer(observation())
    assert chunk.mode == ActionMode.JOINT_POSITION
    assert chunk.joint_names == load_robot_config("fr3").joints
    assert chunk.period == pytest.approx(0.2)
    space = json.loads((run / "checkpoint/config.json").read_text())["action_space"]["dimensions"]
    values = [*chunk.steps[0].joints.tolist(), chunk.steps[0].gripper]
    assert all(d["low"] - 1e-9 <= v <= d["high"] + 1e-9 for d, v in zip(space, values, strict=True))
    recorded = np.concatenate([sets.positions(sets.FR3_ROBOT, i, 21)[1:] for i in range(4)])
    assert space[0]["low"] >= recorded[:, 0].min() - 1e-6
    assert space[0]["high"] <= recorded[:, 0].max() + 1e-6


def test_the_map_stands_beside_the_weights_and_another_one_is_refused(run: Path, tmp_path: Path) -> None:
    text = (run / "checkpoint/observation_map.yaml").read_text()
    assert yaml.safe_load(text)["action"]["mode"] == "joint_position"
    with pytest.raises(ConfigurationError, match="11 columns of action"):
        load_policy(policy_settings("rt1", "fr3", checkpoint=str(run / "checkpoint"), observation_map="rt1"))


def test_a_run_goes_on_with_its_ranges_and_refuses_other_labels(
    run: Path, fr3: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = json.loads((run / "checkpoint/config.json").read_text())["action_space"]
    more = sets.write_v30(tmp_path / "more", sets.FR3_ROBOT, lengths=(30,) * 6)
    assert train(run, [fr3, more], "--steps", "21", *FR3_WORDS) == 0
    assert "continues at step 20" in capsys.readouterr().out
    assert json.loads((run / "checkpoint/config.json").read_text())["action_space"] == before
    assert train(run, [fr3], "--steps", "22", "--labels", "expert") == 2


def test_sets_of_other_robots_rates_and_formats_together_as_plain_numbers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    aloha = sets.write_v21(tmp_path / "aloha", sets.ALOHA_ROBOT)
    so100 = sets.write_v30(tmp_path / "so100", sets.SO100_ROBOT, lengths=(20, 20, 12), per_file=2)
    assert train(tmp_path / "run", [f"{so100}:0.3", f"{aloha}:0.7"], "--steps", "4") == 0
    out = capsys.readouterr().out
    assert out.count("plain numbers, for nothing says what they are") == 2
    assert "the policy sees observation.images.cam_high; not observation.images.cam_left_wrist" in out
    config = json.loads((tmp_path / "run/checkpoint/config.json").read_text())
    names = [dimension["name"] for dimension in config["action_space"]["dimensions"]]
    assert names == [*sets.SO100, *(f"unused_{i}" for i in range(6, 14))]
    assert set(config["control"]["ranges"]) == {"so100_follower", "aloha"}
    assert not (tmp_path / "run/checkpoint/observation_map.yaml").exists()
    with pytest.raises(ConfigurationError, match="plain numbers; valid with it is a map"):
        create("rt1", PolicyConfig(checkpoint=str(tmp_path / "run/checkpoint"), robot="so100_follower"))


def test_recorded_bags_are_trained_by_the_map_that_they_carry(tmp_path: Path) -> None:
    from vla_training.data.bags import testing as bags

    for number in range(3):
        bags.write_bag(tmp_path / "in" / f"episode_{number:06d}")
    words = [str(tmp_path / "in"), "--out", str(tmp_path / "set"), "--map", "rt1"]
    assert main(["data", "convert", *words]) == 0
    assert train(tmp_path / "run", [tmp_path / "set"], "--steps", "2") == 0
    policy = load_policy(policy_settings("rt1", "fr3", checkpoint=str(tmp_path / "run/checkpoint"), device="cpu"))
    policy.reset("push the block")
    chunk = policy.infer(observation())
    assert chunk.mode == ActionMode.EE_DELTA
    assert np.abs(chunk.steps[0].translation).max() < 0.05
    np.testing.assert_array_equal(chunk.steps[0].base, 0.0)  # never moved in the data


def test_simulated_demonstrations_say_what_they_are(make_dataset: Callable[..., Path], tmp_path: Path) -> None:
    assert train(tmp_path / "run", [make_dataset(size=(32, 40))], "--steps", "1") == 0
    policy = load_policy(policy_settings("rt1", "fr3", checkpoint=str(tmp_path / "run/checkpoint"), device="cpu"))
    assert policy.image_size == (32, 40)
    policy.reset("pick up the red block")
    chunk = policy.infer(observation((32, 40)))
    assert chunk.mode == ActionMode.EE_DELTA
    assert np.abs(chunk.steps[0].translation).max() <= 0.0501


def edit(folder: Path, pattern: str, change: Callable[[list[dict]], object]) -> None:
    path = next(folder.glob(pattern))
    table = pq.read_table(path)
    rows = table.to_pylist()
    change(rows)
    pq.write_table(pa.Table.from_pylist(rows), path)


def nan_action(folder: Path) -> None:
    edit(folder, "data/*/*.parquet", lambda rows: rows[25]["action"].__setitem__(2, float("nan")))


def other_width(folder: Path) -> None:
    edit(folder, "data/*/*.parquet", lambda rows: rows[43].__setitem__("action", [0.0] * 5))


def one_frame(folder: Path) -> None:
    edit(folder, "data/*/*.parquet", lambda rows: rows.__delitem__(slice(21, 40)))
    edit(folder, "meta/episodes/*/*.parquet", lambda rows: rows[1].__setitem__("length", 1))


def task_missing(folder: Path) -> None:
    edit(folder, "data/*/*.parquet", lambda rows: rows[46].__setitem__("task_index", 7))


def cut_parquet(folder: Path) -> None:
    path = next(folder.glob("data/*/*.parquet"))
    path.write_bytes(path.read_bytes()[:-60])


def short_video(folder: Path) -> None:
    path = next(folder.glob("videos/*/*/*.mp4"))
    frames = [np.stack([sets.image(0, i) for i in range(53)])]
    path.unlink()
    sets.write_video(path, frames, sets.FR3_ROBOT.fps)


def old_version(folder: Path) -> None:
    path = folder / "meta/info.json"
    path.write_text(path.read_text().replace("v3.0", "v1.6"))


def no_action(folder: Path) -> None:
    path = folder / "meta/info.json"
    path.write_text(path.read_text().replace('"action"', '"actions"'))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (nan_action, r"episode 1: frame 5: action is"),
        (other_width, r"episode 2: frame 3: action is width 5, valid \[8\]"),
        (one_frame, r"episode 1: fewer than two frames"),
        (task_missing, r"episode 2: frame 6: task_index 7 has no task text"),
        (cut_parquet, r"episode 0: data/chunk-000/file-000.parquet is missing or damaged"),
        (short_video, r"episode 2: frame 15: .*mp4 has 53 frames, this is frame 55 of it"),
        (old_version, r"format 'v1.6'; valid: v3.0, v2.1"),
        (no_action, r"has no feature action; it has observation.state, actions"),
    ],
)
def test_bad_sets_are_refused_with_episode_and_frame(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: Callable[[Path], None], said: str
) -> None:
    folder = sets.write_v30(tmp_path / "set", sets.FR3_ROBOT)
    damage(folder)
    assert train(tmp_path / "run", [folder], "--steps", "2", *FR3_WORDS) == 2
    error = capsys.readouterr().err
    assert re.search(said, error), error
    assert not (tmp_path / "run/checkpoint").exists()


def test_a_faulty_episode_can_be_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = sets.write_v30(tmp_path / "set", sets.FR3_ROBOT)
    nan_action(folder)
    assert train(tmp_path / "run", [folder], "--steps", "1", "--skip-faulty", *FR3_WORDS) == 0
    out = capsys.readouterr().out
    assert "left out" in out
    assert "3 episodes, 21 frames at 5 Hz" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--action", "joint_position"], "--unit says it: rad, deg"),
        (["--action", "joint_position", "--unit", "rad"], "--gripper says it: open_1"),
        (["--action", "ee_delta", "--frame", "base", "--rotation", "rpy", "--gripper", "open_1"], "has 8 columns"),
        (["--action", "ee_delta"], "--frame says it: base, tool"),
        (["--map", "rt1"], "map rt1 has 11"),
        (["--map", "rt1", "--unit", "rad"], "valid with it are none of --action"),
        (["--camera", "wrist"], "has no camera wrist"),
        (["--policy-rate", "30"], "valid is --policy-rate up to 15"),
        (["--robot", "r2d2"], "r2d2"),
    ],
)
def test_what_features_cannot_tell_is_asked_for_by_name(
    fr3: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert train(tmp_path / "run", [fr3], "--steps", "1", *words) == 2
    assert said in capsys.readouterr().err


def test_weights_are_for_all_sets_or_for_none_and_the_hub_is_named_offline(
    fr3: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert train(tmp_path / "run", [fr3, f"{fr3}:2"], "--steps", "1") == 2
    assert "a weight above 0 for each set, or for none" in capsys.readouterr().err
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert train(tmp_path / "run", ["nobody/nothing_at_all"], "--steps", "1") == 2
    assert "cannot be fetched from the hub" in capsys.readouterr().err
