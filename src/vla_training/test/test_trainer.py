# SPDX-License-Identifier: Apache-2.0
"""Training on a few frames with a small network: the loss falls, a stopped run continues, features are cached."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from vla_policy.rt1.checkpoint import load_checkpoint
from vla_policy.rt1.config import named_config
from vla_policy.rt1.network import RT1Network
from vla_training.data.lerobot.writer import DatasetError, open_dataset
from vla_training.rt1.command import weights_of
from vla_training.rt1.feature_cache import FeatureCache, JoinedRows
from vla_training.rt1.settings import PROPRIO, TrainSettings, training_config
from vla_training.rt1.trainer import CHECKPOINT, Trainer
from vla_training.rt1.training_data import InstructionTable
from vla_training.rt1.training_set import load_training_set, open_datasets
from vla_training.run import run_log
from vla_training.run.errors import TrainingError

SIZE = (32, 40)
SMALL = named_config(
    "lite",
    image_size=SIZE,
    map_channels=32,
    tokens_per_frame=4,
    d_model=32,
    layers=1,
    heads=2,
    key_dim=16,
    feed_forward=32,
    proprio=PROPRIO,
    state_tokens=2,
    dropout=0.0,
)


@pytest.fixture(scope="module")
def instructions():
    torch.set_num_threads(1)
    return InstructionTable(wordings=1)


@pytest.fixture
def make_trainer(make_dataset, instructions, tmp_path):
    data = load_training_set(open_datasets([make_dataset()], SMALL), SMALL, lambda _: None)

    def make(steps):
        settings = TrainSettings(steps=steps, batch=8, warmup=5, report_every=5, validate_every=20)
        return Trainer(SMALL, data.table, data.features, settings, tmp_path / "run", data.robot, "cpu", instructions)

    return make


def test_loss_falls_and_the_checkpoint_loads(make_trainer):
    trainer = make_trainer(40)
    reports: list[str] = []
    trainer.run(reports.append)
    losses = [row["loss"] for row in run_log.read(trainer.folder / run_log.TRAIN_LOG)]
    assert len(losses) == 8
    assert losses[-1] < 0.9 * losses[0]
    figures = run_log.read(trainer.folder / run_log.VALIDATION_LOG)
    assert [row["step"] for row in figures] == [20, 40]
    checkpoint = load_checkpoint(trainer.folder / CHECKPOINT, robot="fr3")
    assert checkpoint.info.network == SMALL
    assert any("steps/s" in line for line in reports)


def test_stopped_run_goes_on_and_a_larger_goal_continues_it(make_trainer):
    trainer = make_trainer(20)
    trainer.run(lambda _: None, stop=lambda: trainer.step >= 7)
    run_log.append(trainer.folder / run_log.TRAIN_LOG, {"step": 10, "loss": 1, "goal_mm": 1})  # lost with the process
    resumed = make_trainer(20)
    assert resumed.resume()
    assert resumed.step == 7
    assert run_log.read(trainer.folder / run_log.TRAIN_LOG)[-1]["step"] == 5
    for name, value in trainer.network.state_dict().items():
        torch.testing.assert_close(resumed.network.state_dict()[name], value, msg=name)
    resumed.run(lambda _: None)
    further = make_trainer(25)
    assert further.resume()
    further.run(lambda _: None)
    assert further.step == 25


def test_damaged_state_is_refused(make_trainer):
    trainer = make_trainer(2)
    trainer.run(lambda _: None)
    (trainer.folder / "state.safetensors").write_bytes(b"\x00" * 20)
    with pytest.raises(TrainingError, match="--fresh"):
        make_trainer(2).resume()


def test_features_are_computed_once_and_extended(make_dataset, make_record):
    folder, network = make_dataset(seeds=range(3)), RT1Network(SMALL).eval()
    said: list[str] = []
    first = np.array(FeatureCache(open_dataset(folder), network).rows(said.append))
    images = np.concatenate([make_record(seed).images for seed in range(3)])
    np.testing.assert_allclose(first, network.early_features(torch.from_numpy(images)).half().numpy(), atol=2e-3)
    assert said
    make_dataset(seeds=range(3, 5))
    said.clear()
    extended = FeatureCache(open_dataset(folder), network).rows(said.append)
    np.testing.assert_array_equal(extended[: len(first)], first)
    assert len(extended) == 20
    assert len(said) == 1  # the old files were not read again
    said.clear()
    FeatureCache(open_dataset(folder), network).rows(said.append)
    assert not said


def test_interrupted_cache_is_repaired(make_dataset):
    folder, network = make_dataset(), RT1Network(SMALL).eval()
    whole = np.array(FeatureCache(open_dataset(folder), network).rows(lambda _: None))
    note = next(folder.glob("features/*.json"))
    note.write_text(json.dumps({"episodes": 2, "digest": "of other data"}))
    np.testing.assert_array_equal(FeatureCache(open_dataset(folder), network).rows(lambda _: None), whole)


def test_joined_rows_are_those_of_the_parts():
    parts = [np.arange(6.0).reshape(3, 2), np.arange(10.0, 18.0).reshape(4, 2)]
    rows = np.array([6, 0, 3, 3, 2])
    joined = JoinedRows(parts, None)
    np.testing.assert_array_equal(joined[rows], np.concatenate(parts)[rows])
    assert len(joined) == 7


def test_data_that_does_not_fit_is_refused(make_dataset, tmp_path):
    fr3, wx250s = make_dataset(), make_dataset("wx250s", robot="wx250s")
    with pytest.raises(TrainingError, match="one robot"):
        open_datasets([fr3, wx250s], SMALL)
    with pytest.raises(TrainingError, match="--image-size 128 160"):
        open_datasets([fr3], training_config("lite"))
    empty = make_dataset("empty", seeds=[0])
    next(empty.glob("meta/episodes/*/*.parquet")).unlink()
    with pytest.raises(TrainingError, match="no episodes"):
        open_datasets([empty], SMALL)
    with pytest.raises(DatasetError, match="no data set"):
        open_datasets([tmp_path / "nothing"], SMALL)


def test_a_run_begins_with_the_weights_of_another(make_trainer):
    trainer = make_trainer(20)
    other = RT1Network(SMALL)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(0.1)
    trainer.start_from(other.state_dict())
    for network in (trainer.network, trainer.average):
        for name, value in other.state_dict().items():
            torch.testing.assert_close(network.state_dict()[name], value, msg=name)


def test_weights_of_another_network_are_refused():
    with pytest.raises(TrainingError, match=r"--from lite_fr3: its network is .*, valid is"):
        weights_of("lite_fr3", "fr3", SMALL)
