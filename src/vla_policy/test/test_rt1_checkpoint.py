# SPDX-License-Identifier: Apache-2.0
"""RT-1 checkpoints: round trip, and each way in which one can be wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from vla_policy.rt1.checkpoint import CheckpointError, load_checkpoint, read_info, save_checkpoint
from vla_policy.rt1.config import named_config
from vla_policy.rt1.network import RT1Network

SPACE = {"name": "rt1", "bins": 256}


@pytest.fixture(scope="module")
def network() -> RT1Network:
    config = named_config("lite", proprio=("ee_x", "ee_y"), state_tokens=1)
    net = RT1Network(config, pretrained=False).eval()
    net.set_proprio_statistics([0.4, 0.0], [0.1, 0.2])
    return net


@pytest.fixture
def folder(tmp_path: Path, network: RT1Network) -> Path:
    save_checkpoint(tmp_path, network, SPACE, "fr3", {"period_s": 0.2})
    return tmp_path


def test_round_trip_is_exact_and_small(folder: Path, network: RT1Network) -> None:
    loaded = load_checkpoint(folder, robot="fr3", action_space=SPACE)
    assert loaded.info == read_info(folder)
    assert loaded.info.network == network.config
    assert loaded.info.control == {"period_s": 0.2}
    tokens, proprio = torch.randn(1, 1, 8, 192), torch.randn(1, 1, 2)
    torch.testing.assert_close(loaded.network.decode(tokens, proprio), network.decode(tokens, proprio), rtol=0, atol=0)
    assert not loaded.network.training
    assert sum(path.stat().st_size for path in folder.iterdir()) < 20e6


def test_missing_files_are_named(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(CheckpointError, match=r"config\.json is missing"):
        load_checkpoint(tmp_path / "nothing")
    (folder / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"model\.safetensors is missing"):
        load_checkpoint(folder)


@pytest.mark.parametrize("kept", [0, 7, 5000, 1_000_000])
def test_truncated_weights(folder: Path, kept: int) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(CheckpointError, match="truncated"):
        load_checkpoint(folder)


def test_truncated_config(folder: Path) -> None:
    path = folder / "config.json"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(CheckpointError, match="truncated"):
        load_checkpoint(folder)


@pytest.mark.parametrize(
    ("key", "value", "match"),
    [
        ("format", "other", "reads"),
        ("network", None, "network"),
        ("network", {"layers": 4}, "missing keys"),
        ("robot", 3, "robot"),
    ],
)
def test_wrong_config(folder: Path, key: str, value: object, match: str) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    with pytest.raises(CheckpointError, match=match):
        load_checkpoint(folder)


def test_wrong_shapes_names_and_numbers(folder: Path) -> None:
    path = folder / "model.safetensors"
    weights = load_file(path)
    save_file(weights | {"transformer.head.weight": torch.zeros(128, 192)}, path)
    with pytest.raises(CheckpointError, match=r"transformer.head.weight is \(128, 192\)"):
        load_checkpoint(folder)
    save_file(weights | {"surplus": torch.zeros(1)}, path)
    with pytest.raises(CheckpointError, match="surplus"):
        load_checkpoint(folder)
    save_file(weights | {"transformer.head.bias": torch.full((256,), float("nan"))}, path)
    with pytest.raises(CheckpointError, match="not finite"):
        load_checkpoint(folder)


def test_other_robot_and_other_action_space(folder: Path) -> None:
    with pytest.raises(CheckpointError, match="'fr3', not for 'wx250s'"):
        load_checkpoint(folder, robot="wx250s")
    with pytest.raises(CheckpointError, match="bins"):
        load_checkpoint(folder, action_space=SPACE | {"bins": 512})
