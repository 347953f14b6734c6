# SPDX-License-Identifier: Apache-2.0
"""A compiled policy acts as the eager one does, and eager is what remains where it cannot be used."""

from __future__ import annotations

import copy
import logging
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from vla_core.action import ActionChunk
from vla_policy.action.presets import RT1_TABLETOP, RT2
from vla_policy.engine import choice
from vla_policy.engine.cache import Prepared, checkpoint_key
from vla_policy.errors import ConfigurationError
from vla_policy.policy import Observation, PolicyConfig
from vla_policy.rt1.checkpoint import save_checkpoint
from vla_policy.rt1.compiled import CompiledPasses, compiled_parts, find_passes
from vla_policy.rt1.config import RT1Config, named_config
from vla_policy.rt1.network import RT1Network
from vla_policy.rt1.policy import RT1Policy, create
from vla_policy.rt2.decoding.cached_model import CachedModel
from vla_policy.rt2.decoding.constraint import LegalBins
from vla_policy.rt2.decoding.decode import ActionDecoder
from vla_policy.rt2.model.action_head import base_of
from vla_policy.rt2.model.compiled import CompiledLanguage, can_be_compiled, use_compiled
from vla_policy.rt2.model.compiled import compiled_parts as language_parts

from vla_policy import settings

PROPRIO = ("ee_x", "ee_z", "gripper_width")
CONFIG = named_config(
    "lite",
    image_size=(64, 80),
    history=3,
    layers=2,
    fill_history=False,
    backbone_blocks=7,
    proprio=PROPRIO,
    state_tokens=1,
)


def write_checkpoint(folder: Path, config: RT1Config = CONFIG, seed: int = 3) -> Path:
    torch.manual_seed(seed)
    save_checkpoint(folder, RT1Network(config, pretrained=False), RT1_TABLETOP.to_dict(), "fr3", {"period_s": 0.2})
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def own_cache(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("checkpoint"))


def observe(stamp: float, seed: int) -> Observation:
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (64, 80, 3), dtype=np.uint8)
    place = rng.uniform(0.1, 0.5, 3)
    return Observation(stamp, {"camera": image}, (), np.zeros(0), place, np.array([1.0, 0.0, 0.0, 0.0]), 0.08)


def make(folder: Path, engine: str) -> RT1Policy:
    policy = create(PolicyConfig(checkpoint=str(folder), threads=1, options={"engine": engine}))
    policy.reset("pick up the red block")
    return policy


def test_the_compiled_policy_acts_as_the_eager_one(folder: Path) -> None:
    pytest.importorskip("openvino")
    eager, compiled = make(folder, "eager"), make(folder, "openvino")
    assert isinstance(compiled._passes, CompiledPasses)
    assert isinstance(make(folder, "auto")._passes, CompiledPasses)  # prepared by now
    for frame in range(5):  # the history grows to three frames
        seen = observe(0.2 * frame, frame)
        wanted, found = eager.infer(seen), compiled.infer(seen)
        np.testing.assert_array_equal(found.tokens, wanted.tokens)
        np.testing.assert_allclose(found.token_probabilities, wanted.token_probabilities, rtol=1e-3)


def test_several_robots_are_served_by_the_compiled_policy_too(folder: Path) -> None:
    pytest.importorskip("openvino")
    compiled = make(folder, "openvino")
    sessions = [compiled.session() for _ in range(2)]
    for session in sessions:
        session.reset("pick up the red block")
    together = compiled.infer_batch(sessions, [observe(0.0, 1), observe(0.0, 2)])
    for seed, chunk in zip((1, 2), together, strict=True):
        compiled.reset("pick up the red block")
        assert isinstance(chunk, ActionChunk)
        np.testing.assert_array_equal(chunk.tokens, compiled.infer(observe(0.0, seed)).tokens)


def test_auto_takes_what_is_prepared_and_prepares_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("openvino")
    write_checkpoint(tmp_path, seed=5)
    with caplog.at_level(logging.INFO):
        policy = make(tmp_path, "auto")
    assert isinstance(policy._passes, RT1Network)
    assert "engine:=openvino prepares this checkpoint" in caplog.text
    assert not Prepared(checkpoint_key(tmp_path)).ready()


def test_eager_remains_where_openvino_is_not_installed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(choice, "available", lambda: "")
    policy = make(folder, "openvino")
    assert isinstance(policy._passes, RT1Network)
    assert "requirements/engine.txt" in caplog.text


def test_the_node_offers_the_engines_that_there_are() -> None:
    assert settings.ENGINES == choice.ENGINES


def test_an_unknown_engine_is_refused(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match="engine is 'tpu'; valid are auto, eager, openvino"):
        make(folder, "tpu")


def test_another_networks_compiled_passes_are_not_used(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("openvino")
    make(folder, "openvino")
    torch.manual_seed(9)
    other = RT1Network(CONFIG, pretrained=False).eval()
    assert find_passes(other, "auto", "cpu", folder, 1) is other
    assert "differs by" in caplog.text
    damaged = Prepared("damaged")
    damaged.make(compiled_parts(other))
    (damaged.folder / "picture.bin").write_bytes(b"")
    with pytest.raises(RuntimeError):
        CompiledPasses(other, damaged)


def test_a_changed_checkpoint_has_another_key(tmp_path: Path) -> None:
    write_checkpoint(tmp_path)
    before = checkpoint_key(tmp_path)
    assert checkpoint_key(tmp_path) == before
    write_checkpoint(tmp_path, seed=4)
    assert checkpoint_key(tmp_path) != before


def test_a_compiled_language_model_chooses_the_same_actions(rt2_small_models: ModuleType) -> None:
    pytest.importorskip("openvino")
    small = rt2_small_models.build("fast_vlm")
    model = copy.deepcopy(small.model)
    base, inputs = base_of(model), small.inputs([20, 31, 42], 0)
    prepared = Prepared("small")
    assert can_be_compiled(base, inputs)
    prepared.make(language_parts(base, inputs))
    use_compiled(base, prepared, inputs)
    info = rt2_small_models.action_info(RT2)

    def decoder(model: object) -> ActionDecoder:
        return ActionDecoder(small.backend(), info, LegalBins(RT2), mode="greedy", runner=CachedModel(model))

    eager, compiled = decoder(small.model), decoder(model)
    for words, picture in (([20, 31, 42], 0), ([20, 31, 42], 1), ([20, 31, 42, 7, 8], 1), ([9], 2)):
        wanted, found = eager.decode(small.inputs(words, picture, 1)), compiled.decode(small.inputs(words, picture, 1))
        assert found.tokens.tolist() == wanted.tokens.tolist()
        assert found.probabilities == pytest.approx(wanted.probabilities, rel=1e-3)
        assert compiled.runner.reused == eager.runner.reused
    assert isinstance(base.language_model, CompiledLanguage)
    assert base.language_model.compiled_passes > 4
    padded = small.batch([[20, 31], [20, 31, 42, 53]])
    torch.testing.assert_close(compiled.runner.prefill(padded), eager.runner.prefill(padded), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("family", ["llava", "smolvlm", "qwen2_5_vl"])
def test_models_of_another_form_stay_eager(rt2_small_models: ModuleType, family: str) -> None:
    small = rt2_small_models.build(family)
    assert not can_be_compiled(base_of(small.model), small.inputs([20, 31, 42], 0))
