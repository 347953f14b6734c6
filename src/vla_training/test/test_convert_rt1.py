# SPDX-License-Identifier: Apache-2.0
"""Google's RT-1 becomes a checkpoint of ours: every variable finds its place, and what does not fit is refused."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from vla_policy.errors import ConfigurationError, InstructionError
from vla_policy.policy import Observation, PolicyConfig
from vla_policy.rt1.checkpoint import load_checkpoint
from vla_policy.rt1.config import B3
from vla_policy.rt1.network import RT1Network
from vla_policy.rt1.policy import create
from vla_training.convert import google_export, google_rt1
from vla_training.convert.bundle import BundleError
from vla_training.convert.command import main
from vla_training.convert.rt1 import AGENT, SUFFIX, check_names, convert_network, find_source, infer_config
from vla_training.run.errors import TrainingError

LISTS = Path(__file__).parent / "data" / "google_rt1_variables.txt"
PARTS = ("_key_dense", "_output_dense", "_query_dense", "_value_dense")  # order of the export that Google made
TINY = dataclasses.replace(
    B3,
    picture_size=(64, 80),
    image_size=(48, 48),
    backbone_blocks=3,
    backbone_top=False,
    map_channels=12,
    token_width=12,
    d_model=16,
    layers=2,
    heads=2,
    key_dim=4,
    history=3,
    instruction="vector",
    instruction_dim=5,
)
Arrays = dict[str, NDArray[np.float32]]


def real_shapes(column: int) -> dict[str, tuple[int, ...]]:
    """Shapes of the variables of rt1main and rt1simreal (1) or rt1multirobot (2)."""
    found = {}
    for line in LISTS.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            name, *shapes = line.replace("@", google_rt1.NET).split()
            shape = shapes[0] if column == 1 or shapes[1] == "=" else shapes[1]
            if shape != "-":
                found[name] = tuple(map(int, shape.split("x"))) if shape != "scalar" else ()
    return found


@pytest.mark.parametrize(("column", "count", "layers", "width"), [(1, 732, 8, 512), (2, 760, 10, 1024)])
def test_every_released_variable_has_its_place(column: int, count: int, layers: int, width: int) -> None:
    shapes = real_shapes(column)
    assert len(shapes) == count
    config = infer_config(shapes, action_dims=11)
    assert (config.layers, config.d_model, config.history, config.tokens_per_frame) == (layers, width, 6, 8)
    check_names(shapes, config)
    with torch.device("meta"):
        state = RT1Network(config, pretrained=False).state_dict()
    made = {}
    for rule in google_rt1.rules(config):
        parts = [np.broadcast_to(np.float32(1.0), shapes[name]) for name in rule.theirs]
        made[rule.ours] = rule.make(parts).shape
    ours = {key: tuple(value.shape) for key, value in state.items() if "num_batches" not in key}
    assert ours.pop("tokenizer.reduce.bias") == (512,)
    assert made == ours


@pytest.mark.parametrize("column", [1, 2])
def test_numbers_of_the_export_name_the_same_variables(column: int) -> None:
    shapes = real_shapes(column)
    layers = infer_config(shapes, 11).layers
    names = list(google_export._order(list(shapes.values()), [*PARTS] * layers))
    assert sorted(names) == sorted(shapes)


def test_b3_is_the_released_size() -> None:
    released, ours = infer_config(real_shapes(1), 11), B3
    differing = {
        each.name for each in dataclasses.fields(B3) if getattr(released, each.name) != getattr(ours, each.name)
    }
    assert differing == {"picture_size", "instruction", "instruction_dim", "token_width"}


def variables(seed: int = 0) -> tuple[RT1Network, Arrays]:
    """A small network of ours and the variables that Google's code would keep of it."""
    torch.manual_seed(seed)
    network, rng = RT1Network(TINY, pretrained=False).eval(), np.random.default_rng(seed)
    state: Arrays = {}
    for key, value in network.state_dict().items():
        if value.dtype == torch.float32:
            low = 0.5 if key.endswith(("running_var", "std")) else -0.4
            value.copy_(torch.from_numpy(rng.uniform(low, 1.0, value.shape)))
            state[key] = value.numpy()
    network.tokenizer.reduce.bias.data.zero_()
    theirs: Arrays = {}
    for rule in google_rt1.rules(TINY):
        theirs |= dict(zip(rule.theirs, undone(rule.ours, state[rule.ours]), strict=True))
    theirs["_action_token_emb/kernel"] = np.zeros((256, 12), np.float32)
    theirs["_action_token_emb/bias"] = np.zeros(12, np.float32)
    return network, theirs


def undone(ours: str, value: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """What Google's variables are for a tensor of ours, written apart from the code under test."""
    width, heads, dim = TINY.d_model, TINY.heads, TINY.key_dim
    if "query_key_value" in ours:
        parts = np.split(value, 3)
        return [p.T.reshape(width, heads, dim) if p.ndim == 2 else p.reshape(heads, dim) for p in parts]
    if ours.endswith("attention_out.weight"):
        return [np.ascontiguousarray(value.T.reshape(heads, dim, width))]
    if ours == "transformer.position":
        bias = np.linspace(-1, 1, width, dtype=np.float32)
        return [value - bias, bias]
    if ours.endswith(".mean") and value.ndim == 3:
        return [value.ravel() / 255.0]
    if ours.endswith(".std"):
        return [((value.ravel() / 255.0) ** 2 / np.array([0.229, 0.224, 0.225])).astype(np.float32)]
    if value.ndim == 4:
        out_in_h_w = value.transpose(2, 3, 1, 0)
        return [out_in_h_w.transpose(0, 1, 3, 2) if "depthwise_conv.depthwise_conv" in ours else out_in_h_w]
    return [value.T if value.ndim == 2 else value]


def write_training(bundles: ModuleType, folder: Path, theirs: Mapping[str, NDArray[np.float32]]) -> None:
    tensors: dict[str, Any] = {f"{AGENT}{name}{SUFFIX}": value for name, value in theirs.items()}
    tensors[f"{AGENT}{google_rt1.NET}0/count{SUFFIX}"] = np.array(0, np.int64)
    tensors[f"agent/_actor_optimizer/_variables/1{SUFFIX}"] = np.zeros(3, np.float32)
    tensors[f"global_step{SUFFIX}"] = np.array(9, np.int64)
    tensors["_CHECKPOINTABLE_OBJECT_GRAPH"] = b""
    bundles.write_bundle(folder / "ckpt-9", tensors)


def write_export(
    bundles: ModuleType, folder: Path, theirs: Mapping[str, NDArray[np.float32]], parts: tuple[str, ...]
) -> None:
    """Numbers in Google's order, with the attention's layers in the order `parts`."""
    shapes = [value.shape for value in theirs.values()] + [()]
    names = list(google_export._order(shapes, [*parts] * TINY.layers))
    of_keras = {ours: part for part, ours in google_export.ATTENTION.items()}
    tensors: dict[str, Any] = {f"train_step{SUFFIX}": np.array(9, np.int64)}
    graph = b""
    for number, name in enumerate(names, 1):
        key = f"model_variables/{number}{SUFFIX}"
        tensors[key] = theirs.get(name, np.array(0, np.int64))
        layer = next((part for ours, part in of_keras.items() if ours in name), "dense")
        full = f"network/transformer/multi_head_attention/{layer}/{name.split('/')[-1]}"
        field = bundles.field
        attribute = field(1, b"VARIABLE_VALUE") + field(2, full.encode()) + field(3, key.encode())
        graph += field(1, field(2, attribute))
    tensors["_CHECKPOINTABLE_OBJECT_GRAPH"] = graph
    bundles.write_bundle(folder / "variables" / "variables", tensors, snappy=True)


@pytest.fixture(scope="module")
def made() -> tuple[RT1Network, Arrays]:
    return variables()


@pytest.mark.parametrize("kind", ["training", "export", "export_of_another_keras"])
def test_converted_network_has_the_same_weights(
    tmp_path: Path, bundles: ModuleType, made: tuple[RT1Network, Arrays], kind: str
) -> None:
    network, theirs = made
    if kind == "training":
        write_training(bundles, tmp_path, theirs)
    else:
        write_export(bundles, tmp_path, theirs, PARTS if kind == "export" else tuple(sorted(PARTS, reverse=True)))
    converted = convert_network(find_source(tmp_path), 11)
    assert converted.config == dataclasses.replace(TINY, picture_size=(256, 320), image_size=(300, 300))
    for key, value in network.state_dict().items():
        if value.dtype == torch.float32:
            torch.testing.assert_close(converted.state_dict()[key], value, rtol=1e-5, atol=1e-6)


def test_cut_training_checkpoint_falls_back_to_the_export(
    tmp_path: Path, bundles: ModuleType, made: tuple[RT1Network, Arrays]
) -> None:
    write_training(bundles, tmp_path, made[1])
    write_export(bundles, tmp_path, made[1], PARTS)
    data = tmp_path / "ckpt-9.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:1000])
    assert find_source(tmp_path).bundle.prefix.name == "variables"
    (tmp_path / "variables" / "variables.index").unlink()
    with pytest.raises(BundleError, match="truncated: it has 1000 bytes"):
        find_source(tmp_path)


def changed(theirs: Arrays, **values: NDArray[np.float32] | None) -> Arrays:
    names = {"embed": f"{google_rt1.TRANSFORMER}/_token_emb/kernel", "gamma": f"{google_rt1.NET}2/gamma"}
    new = dict(theirs)
    for key, value in values.items():
        name = names.get(key, key)
        if value is None:
            del new[name]
        else:
            new[name] = value
    return new


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"embed": None}, "_token_emb/kernel is missing"),
        ({"gamma": None}, "1 variables are missing .*layer_with_weights-2/gamma"),
        ({"another": np.zeros(3, np.float32)}, "1 are unknown .*another"),
        ({"gamma": np.zeros(3, np.float32)}, r"layer_with_weights-2/gamma has shape \(3,\)"),
        ({"gamma": np.full(40, np.nan, np.float32)}, "not finite"),
        ({"embed": np.zeros(3, np.float32)}, "valid are 2 dimensions"),
    ],
)
def test_what_does_not_fit_is_refused(
    tmp_path: Path,
    bundles: ModuleType,
    made: tuple[RT1Network, Arrays],
    values: dict[str, NDArray[np.float32] | None],
    said: str,
) -> None:
    write_training(bundles, tmp_path, changed(made[1], **values))
    with pytest.raises(BundleError, match=said):
        convert_network(find_source(tmp_path), 11)


def test_another_number_of_actions_is_refused(
    tmp_path: Path, bundles: ModuleType, made: tuple[RT1Network, Arrays]
) -> None:
    write_training(bundles, tmp_path, made[1])
    with pytest.raises(BundleError, match=r"57 positions; valid .* multiple of 16"):
        convert_network(find_source(tmp_path), 8)
    with pytest.raises(BundleError, match="neither"):
        find_source(tmp_path / "nowhere")


def test_export_without_names_is_refused(tmp_path: Path, bundles: ModuleType, made: tuple[RT1Network, Arrays]) -> None:
    write_export(bundles, tmp_path, made[1], ("_key_dense", "_key_dense", "_query_dense", "_value_dense"))
    with pytest.raises(BundleError, match="an attention layer has"):
        find_source(tmp_path)


def test_command_makes_a_policy_that_knows_its_instructions(
    tmp_path: Path, bundles: ModuleType, made: tuple[RT1Network, Arrays], capsys: pytest.CaptureFixture[str]
) -> None:
    write_training(bundles, tmp_path / "rt1tiny", made[1])
    embeddings = {"Pick up the apple": [0.1] * 5, "close the drawer": [0.2] * 5}
    (tmp_path / "use.json").write_text(json.dumps(embeddings), encoding="utf-8")
    words = [str(tmp_path / "rt1tiny"), "--out", str(tmp_path / "ours")]
    with pytest.raises(TrainingError, match="--instructions FILE"):
        main(words)
    assert main([*words, "--instructions", str(tmp_path / "use.json")]) == 0
    assert "2 instructions" in capsys.readouterr().out
    with pytest.raises(TrainingError, match="holds a checkpoint"):
        main([*words, "--instructions", str(tmp_path / "use.json")])
    card = (tmp_path / "ours" / "README.md").read_text(encoding="utf-8")
    assert "rt1tiny" in card
    assert "Universal Sentence Encoder" in card
    assert load_checkpoint(tmp_path / "ours").info.robot == "google_robot"
    policy = create(PolicyConfig(checkpoint=str(tmp_path / "ours")))
    assert policy.image_size == (256, 320)
    with pytest.raises(InstructionError, match=r"valid are 2: .*'pick up the apple'"):
        policy.reset("fold the towel")
    policy.reset("pick up the apple.")
    image = np.random.default_rng(0).integers(0, 256, (256, 320, 3), dtype=np.uint8)
    still = (np.zeros(0), np.zeros(3), np.array([0.0, 0.0, 0.0, 1.0]), 0.0)
    chunk = policy.infer(Observation(1.0, {"front": image}, (), *still))
    assert chunk.dimension_names[0] == "mode"
    assert chunk.tokens is not None


def test_embeddings_of_another_width_are_refused(
    tmp_path: Path, bundles: ModuleType, made: tuple[RT1Network, Arrays]
) -> None:
    write_training(bundles, tmp_path / "rt1tiny", made[1])
    np.savez(tmp_path / "use.npz", **{"close the drawer": np.ones(512, np.float32)})
    words = [str(tmp_path / "rt1tiny"), "--out", str(tmp_path / "ours"), "--instructions"]
    with pytest.raises(ConfigurationError, match="valid are 5 finite numbers"):
        main([*words, str(tmp_path / "use.npz")])
    with pytest.raises(ConfigurationError, match="read from"):
        main([*words, str(tmp_path / "use.txt")])
    with pytest.raises(ConfigurationError, match="encoder 'use' is unknown"):
        main([*words[:-1], "--encoder", "use"])
