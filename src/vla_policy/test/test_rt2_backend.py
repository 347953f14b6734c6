# SPDX-License-Identifier: Apache-2.0
"""The back end on tiny random models of six families: placeholders, batches, and what it refuses."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from vla_policy.errors import CheckpointError, ConfigurationError, InstructionError, ObservationError
from vla_policy.rt2.model.backend import VlmBackend
from vla_policy.rt2.prompt import prompt

FAMILIES = ("paligemma", "idefics3", "smolvlm", "qwen2_5_vl", "llava", "fast_vlm")
PROMPT = prompt("rt2").action_prompt("pick up the red block")


def picture(seed: int = 0, height: int = 128, width: int = 160) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture(scope="module", params=FAMILIES)
def backend(request: pytest.FixtureRequest, rt2_models: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Saved, and loaded again through the Auto classes."""
    model, processor = rt2_models.make(request.param)
    folder = tmp_path_factory.mktemp(request.param)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    loaded = VlmBackend.load(folder)
    loaded.first = VlmBackend(model, processor)
    return loaded


def next_token(backend: VlmBackend, **inputs: Any) -> torch.Tensor:
    with torch.inference_mode():
        return backend.model(**inputs).logits[:, -1]


def test_loading_changes_nothing(backend: Any) -> None:
    inputs = backend.inputs([picture()], [PROMPT])
    assert backend.family == backend.model.config.model_type
    torch.testing.assert_close(next_token(backend, **inputs), next_token(backend.first, **inputs), rtol=0, atol=0)
    again = backend.first.inputs([picture()], [PROMPT])
    assert inputs.keys() == again.keys()
    assert all(torch.equal(inputs[name], again[name]) for name in inputs)


@pytest.mark.parametrize("size", [(128, 160), (64, 64), (240, 320), (31, 97)])
def test_as_many_placeholders_as_features_for_any_picture(backend: Any, size: tuple[int, int]) -> None:
    inputs = backend.inputs([picture(0, *size)], [PROMPT])
    assert (inputs["input_ids"] == backend.model.config.image_token_id).any()
    assert torch.isfinite(next_token(backend, **inputs)).all()  # the model itself compares the two numbers


def test_picture_and_prompt_both_count(backend: Any) -> None:
    plain = next_token(backend, **backend.inputs([picture(0)], [PROMPT]))
    assert not torch.allclose(plain, next_token(backend, **backend.inputs([picture(1)], [PROMPT])), atol=1e-7)
    other = PROMPT.replace("red", "blue")
    assert not torch.allclose(plain, next_token(backend, **backend.inputs([picture(0)], [other])), atol=1e-7)


def test_rows_of_a_batch_are_padded_on_the_left(backend: Any) -> None:
    other = prompt("rt2").question_prompt("where is it?")
    alone = backend.inputs([picture(1)], [other])["input_ids"][0]
    both = backend.inputs([picture(0), picture(1)], [PROMPT, other])
    assert both["input_ids"][1, -len(alone) :].tolist() == alone.tolist()
    assert both["attention_mask"].sum(dim=1).tolist()[1] == len(alone)
    assert torch.isfinite(next_token(backend, **both)).all()


def test_the_prompt_stands_once_in_the_text(backend: Any) -> None:
    text = backend.render(PROMPT)
    assert text.count(PROMPT) == 1
    assert text.count(backend.processor.image_token) == 1


def test_words_that_steer_the_model_are_refused(backend: Any) -> None:
    assert backend.check_words("pick up the <red> block") == "pick up the <red> block"
    for word in (backend.processor.image_token, "</s>"):
        with pytest.raises(InstructionError, match="which steer the model"):
            backend.check_words(f"pick up {word} the block")


def test_only_what_forward_takes(backend: Any) -> None:
    inputs = backend.inputs([picture()], [PROMPT])
    assert "labels" not in inputs
    assert ("token_type_ids" in inputs) == (backend.family == "paligemma")
    assert all(value.device == backend.device for value in inputs.values())
    assert inputs["pixel_values"].dtype == backend.dtype == torch.float32


def test_a_prompt_longer_than_the_model_reads_is_refused(backend: Any) -> None:
    with pytest.raises(InstructionError, match="valid are at most 511, for 1 are to follow"):
        backend.inputs([picture()], [PROMPT + " red" * 600])


def test_what_is_to_follow_has_room(backend: Any) -> None:
    length = backend.inputs([picture()], [PROMPT])["input_ids"].shape[1]
    assert backend.inputs([picture()], [PROMPT], room=512 - length)
    with pytest.raises(InstructionError, match=f"valid are at most {length - 1}"):
        backend.inputs([picture()], [PROMPT], room=513 - length)


@pytest.mark.parametrize("suffix", ["", "▁"])
def test_ids_of_a_text_are_those_of_the_inputs(backend: Any, suffix: str) -> None:
    made = backend.inputs([picture()], [PROMPT], suffix)["input_ids"][0].tolist()
    text = backend.text_ids(PROMPT, suffix)
    words = len(backend.tokenizer(PROMPT, add_special_tokens=False)["input_ids"]) // 2
    assert list(text[-words:]) == made[-words:]
    assert list(text[:1]) == made[:1]


def test_one_image_for_each_prompt(backend: Any) -> None:
    for images, prompts in (([picture()], []), ([], [PROMPT]), ([], [])):
        with pytest.raises(ObservationError, match="valid is one image for each prompt"):
            backend.inputs(images, prompts)


def test_openvlas_empty_token_is_appended_once(rt2_models: ModuleType) -> None:
    model, processor = rt2_models.make("llava")
    backend = VlmBackend(model, processor)
    plain = backend.inputs([picture()], ["Out:"])["input_ids"]
    assert torch.equal(backend.inputs([picture()], ["Out:"], "▁")["input_ids"], plain)  # not in this vocabulary
    token = processor.tokenizer.convert_tokens_to_ids("block")
    with_suffix = backend.inputs([picture()], ["Out:"], "block")
    assert with_suffix["input_ids"].tolist() == [[*plain[0].tolist(), token]]
    assert with_suffix["attention_mask"].all()
    already = backend.inputs([picture()], ["Out: block"], "block")["input_ids"]
    assert already[0].tolist().count(token) == 1


def test_a_picture_that_the_processor_refuses(rt2_models: ModuleType) -> None:
    backend = VlmBackend(*rt2_models.make("qwen2_5_vl"))
    with pytest.raises(ObservationError, match=r"qwen2_5_vl processor refuses an image \(1, 300, 3\)"):
        backend.inputs([picture(0, 1, 300)], [PROMPT])


def test_a_template_without_room_for_an_image_gets_one_in_front(rt2_models: ModuleType) -> None:
    model, processor = rt2_models.make("llava")
    processor.chat_template = "{% for m in messages %}user: {{ m['content'] }}\n{% endfor %}assistant:"
    assert VlmBackend(model, processor).render("red?") == "user: <image>red?\nassistant:"
    processor.chat_template = "{{ raise_exception('no') }}"
    assert VlmBackend(model, processor).render("red?") == "<image>red?"


def test_a_begin_token_of_the_template_is_not_doubled(rt2_models: ModuleType) -> None:
    model, processor = rt2_models.make("llava")
    processor.chat_template = "<s>" + rt2_models.CHAT.replace("IMAGE", "<image>")
    ids = VlmBackend(model, processor).inputs([picture()], [PROMPT])["input_ids"][0].tolist()
    assert ids.count(processor.tokenizer.bos_token_id) == 1


def test_a_processor_that_knows_no_place_for_an_image_is_refused(rt2_models: ModuleType) -> None:
    model, processor = rt2_models.make("llava")
    processor.image_token = None
    with pytest.raises(CheckpointError, match="names no image token"):
        VlmBackend(model, processor)


@pytest.mark.parametrize("family", ["llava", "fast_vlm"])
def test_int8_on_the_cpu_says_nearly_the_same(rt2_models: ModuleType, tmp_path: Path, family: str) -> None:
    model, processor = rt2_models.make(family)
    model.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    full, small = VlmBackend.load(tmp_path), VlmBackend.load(tmp_path, quantization="int8")
    layers = [m for m in small.model.modules() if "quantized" in type(m).__module__]
    assert len(layers) >= 8
    inputs = full.inputs([picture()], [PROMPT])
    one, other = (next_token(b, **inputs).softmax(dim=-1) for b in (full, small))
    assert 0.0 < float((one - other).abs().max()) < 0.1 * float(one.max())
    assert small.model.get_output_embeddings().weight.dtype == torch.float32


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"dtype": "float8"}, "dtype is 'float8'; valid are auto, float32, bfloat16, float16"),
        ({"quantization": "int2"}, "quantization is 'int2'; valid are none, int8, int4"),
        ({"device": "tpu"}, "device is 'tpu'; valid here are cpu"),
    ],
)
def test_settings_that_do_not_exist(backend: Any, settings: dict[str, str], match: str) -> None:
    with pytest.raises(ConfigurationError, match=match):
        VlmBackend.load(backend.model.config.name_or_path, **settings)


def test_a_missing_package_is_named(backend: Any) -> None:
    if find_spec("bitsandbytes"):
        pytest.skip("bitsandbytes is here")
    with pytest.raises(
        ConfigurationError, match=r"int4 on cpu needs bitsandbytes.*pip install.*valid without are none"
    ):
        VlmBackend.load(backend.model.config.name_or_path, quantization="int4")


def test_the_files_of_an_older_checkpoint_on_the_hub(rt2_models: ModuleType, tmp_path: Path) -> None:
    model, processor = rt2_models.make("qwen2_5_vl")
    model.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    images = json.loads((tmp_path / "processor_config.json").read_text())["image_processor"]
    chat = {"chat_template": (tmp_path / "chat_template.jinja").read_text()}
    images |= {"image_processor_type": "Qwen2VLImageProcessor", "processor_class": "Qwen2_5_VLProcessor"}
    video = {"video_processor_type": "Qwen2VLVideoProcessor"}
    for name, data in (("preprocessor_config", images), ("chat_template", chat), ("video_preprocessor_config", video)):
        (tmp_path / f"{name}.json").write_text(json.dumps(data))
    (tmp_path / "processor_config.json").unlink()
    (tmp_path / "chat_template.jinja").unlink()
    inputs = VlmBackend.load(tmp_path).inputs([picture()], [PROMPT])
    expected = VlmBackend(model, processor).inputs([picture()], [PROMPT])
    assert all(torch.equal(inputs[name], expected[name]) for name in expected)


def test_bfloat16_on_request(backend: Any) -> None:
    half = VlmBackend.load(backend.model.config.name_or_path, dtype="bfloat16")
    inputs = half.inputs([picture()], [PROMPT])
    assert half.dtype == inputs["pixel_values"].dtype == torch.bfloat16
    assert torch.isfinite(next_token(half, **inputs)).all()
