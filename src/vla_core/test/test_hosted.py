# SPDX-License-Identifier: Apache-2.0
"""Clients of hosted models against a server on a real socket: formats, faults, time limits, and where the key goes."""

import base64
import io
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image as PillowImage
from vla_core.hosted import (
    ChatModel,
    ChatOptions,
    DeclinedError,
    GeminiModel,
    GeminiOptions,
    HostedModel,
    RefusedError,
    Request,
    UnreachableError,
    UnusableError,
    encode_png,
    transport,
)
from vla_core.hosted.stub import KEY, Asked, Said, Stub, serving

PICTURE = np.random.default_rng(0).integers(0, 256, (9, 13, 3), dtype=np.uint8)
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
REQUEST = Request("rules", "what is there?", "decision", SCHEMA, PICTURE)
GOOD = Said('{"a": 1}')
Make = Callable[..., HostedModel]


def gemini(stub: Stub, **options: object) -> HostedModel:
    return GeminiModel(replace(GeminiOptions(url=stub.url), **options))  # type: ignore[arg-type]


def chat(stub: Stub, **options: object) -> HostedModel:
    return ChatModel(replace(ChatOptions(url=f"{stub.url}/v1", model="stub"), **options))  # type: ignore[arg-type]


BOTH = pytest.mark.parametrize("make", [gemini, chat])


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setattr(transport, "FIRST_WAIT_S", 0.05)


def answers(*said: Said) -> Callable[[Asked], Said]:
    """Each in turn, the last one from then on."""
    return lambda asked: said[min(asked.number, len(said) - 1)]


def picture_of(asked: Asked) -> np.ndarray:
    if asked.gemini:
        data = asked.body["contents"][0]["parts"][0]["inlineData"]["data"]
    else:
        data = asked.body["messages"][1]["content"][1]["image_url"]["url"].removeprefix("data:image/png;base64,")
    return np.asarray(PillowImage.open(io.BytesIO(base64.b64decode(data))))


def test_a_png_is_read_back_by_another_library():
    assert np.array_equal(np.asarray(PillowImage.open(io.BytesIO(encode_png(PICTURE)))), PICTURE)
    with pytest.raises(ValueError, match="valid is uint8"):
        encode_png(PICTURE.astype(np.float32))  # type: ignore[arg-type]


@BOTH
def test_prompt_schema_and_picture_arrive_and_the_reply_comes_back(make: Make):
    with serving(answers(GOOD)) as stub:
        completion = make(stub).complete(REQUEST)
    (asked,) = stub.asked
    assert completion.value == {"a": 1}
    assert (completion.input_tokens, completion.output_tokens) == (900, 100)
    assert asked.prompt == "what is there?"
    assert asked.schema == SCHEMA
    assert np.array_equal(picture_of(asked), PICTURE)


def test_gemini_gets_temperature_thinking_and_the_key_in_a_header_alone():
    with serving(answers(GOOD)) as stub:
        gemini(stub, thinking="high").complete(REQUEST)
    (asked,) = stub.asked
    config = asked.body["generationConfig"]
    assert asked.path == "/v1/models/gemini-robotics-er-2-preview:generateContent"
    assert config["temperature"] == 0
    assert config["thinkingConfig"] == {"thinkingLevel": "HIGH"}
    assert asked.headers["x-goog-api-key"] == KEY
    assert KEY not in str(asked.body)


def test_geminis_second_form_is_the_call_of_one_function():
    with serving(answers(GOOD)) as stub:
        completion = gemini(stub, form="functions").complete(REQUEST)
    assert completion.value == {"a": 1}
    assert stub.asked[0].body["toolConfig"]["functionCallingConfig"]["mode"] == "ANY"
    assert "responseJsonSchema" not in stub.asked[0].body["generationConfig"]


def test_chat_gets_the_common_subset():
    with serving(answers(GOOD)) as stub:
        chat(stub).complete(REQUEST)
    body = stub.asked[0].body
    assert set(body) == {"model", "messages", "response_format", "temperature", "max_tokens"}
    assert body["temperature"] == 0
    assert body["response_format"]["json_schema"]["strict"] is True


def test_a_model_without_eyes_gets_no_picture():
    with serving(answers(GOOD)) as stub:
        chat(stub, picture=False).complete(REQUEST)
    assert "image_url" not in str(stub.asked[0].body)


@BOTH
def test_cost_and_latency_are_counted(make: Make):
    with serving(answers(GOOD)) as stub:
        model = make(stub, input_price=1.0, output_price=10.0)
        for _ in range(2):
            model.complete(REQUEST)
    assert model.meter.requests == 2
    assert model.meter.cost == pytest.approx(2 * (900 * 1.0 + 100 * 10.0) / 1e6)
    assert 0.0 < model.meter.latency < 5.0


@BOTH
def test_a_fault_that_passes_is_not_noticed(make: Make):
    with serving(answers(Said(status=503), Said(fault="cut"), GOOD)) as stub:
        assert make(stub).complete(REQUEST).value == {"a": 1}
    assert len(stub.asked) == 3


@BOTH
def test_a_rate_limit_waits_as_long_as_it_says(make: Make):
    with serving(answers(Said(status=429, retry_after="1"), GOOD)) as stub:
        began = time.monotonic()
        make(stub).complete(REQUEST)
    assert time.monotonic() - began >= 1.0


@BOTH
@pytest.mark.parametrize("how", [{"retry_after": "600"}, {"retry_delay": "600s"}])
def test_a_rate_limit_beyond_the_time_limit_fails_at_once(make: Make, how: dict[str, str]):
    with serving(answers(Said(status=429, message="quota", **how))) as stub:
        began = time.monotonic()
        with pytest.raises(UnreachableError, match="HTTP 429: quota") as raised:
            make(stub, timeout=5.0).complete(REQUEST)
    assert raised.value.wait_s == 600.0
    assert time.monotonic() - began < 3.0


@BOTH
@pytest.mark.parametrize("said", [Said(status=500, message="boom"), Said(fault="cut")])
def test_faults_that_stay_end_with_what_was_received(make: Make, said: Said):
    with serving(answers(said)) as stub, pytest.raises(UnreachableError, match=r"2 requests"):
        make(stub, retries=1).complete(REQUEST)
    assert len(stub.asked) == 2


@BOTH
@pytest.mark.parametrize("said", [Said(fault="silent"), Said(delay=3.0)])
def test_the_time_limit_is_kept(make: Make, said: Said):
    with serving(answers(said)) as stub:
        began = time.monotonic()
        with pytest.raises(UnreachableError, match=r"no answer within 0\.5 s"):
            make(stub, timeout=0.5).complete(REQUEST)
        assert time.monotonic() - began < 2.0


@BOTH
def test_nobody_there(make: Make):
    with serving(answers(GOOD)) as stub:
        model = make(stub, retries=0)
    with pytest.raises(UnreachableError, match="connection failed"):
        model.complete(REQUEST)


@BOTH
def test_a_wrong_key_is_said_and_never_shown(make: Make, monkeypatch: pytest.MonkeyPatch):
    for name in ("GEMINI_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, "wrong-and-secret")
    with serving(answers(GOOD)) as stub, pytest.raises(RefusedError, match="refuses the key") as raised:
        make(stub).complete(REQUEST)
    assert len(stub.asked) == 1
    assert "wrong-and-secret" not in str(raised.value)
    assert "_API_KEY" in str(raised.value)


@BOTH
def test_a_server_that_repeats_the_key_does_not_get_it_into_a_message(make: Make):
    said = Said(status=400, message=f"bad request with {KEY}")
    with serving(answers(said)) as stub, pytest.raises(RefusedError, match=r"with \*\*\*") as raised:
        make(stub).complete(REQUEST)
    assert KEY not in str(raised.value)


@BOTH
def test_a_model_that_repeats_the_key_does_not_get_it_into_a_message(make: Make):
    with serving(answers(Said(f"your key is {KEY}"))) as stub, pytest.raises(UnusableError, match=r"\*\*\*") as raised:
        make(stub).complete(REQUEST)
    assert KEY not in str(raised.value)


@BOTH
def test_a_model_that_is_gone(make: Make):
    with serving(answers(GOOD)) as stub, pytest.raises(RefusedError, match=r"no model 'gemini-robotics-er-1\.6'"):
        make(stub, model="gemini-robotics-er-1.6").complete(REQUEST)


@BOTH
@pytest.mark.parametrize("text", ["", "clear the table", '{"a": 1', '{"a": NaN}', "[" * 100_000])
def test_replies_that_are_no_json(make: Make, text: str):
    with serving(answers(Said(text))) as stub, pytest.raises(UnusableError, match=r"no JSON|no text"):
        make(stub).complete(REQUEST)


@BOTH
def test_json_in_a_code_block_is_read(make: Make):
    with serving(answers(Said('```json\n{"a": 2}\n```'))) as stub:
        assert make(stub).complete(REQUEST).value == {"a": 2}


@BOTH
def test_a_reply_cut_off_at_its_limit_and_one_declined(make: Make):
    with serving(answers(Said(fault="limit"), Said(fault="declined"))) as stub:
        model = make(stub)
        with pytest.raises(UnusableError, match="cut off at max_tokens"):
            model.complete(REQUEST)
        with pytest.raises(DeclinedError):
            model.complete(REQUEST)
    assert model.meter.output_tokens == 200


@BOTH
def test_a_huge_reply_is_not_read_to_its_end(make: Make):
    with serving(answers(Said("x" * 3_000_000))) as stub, pytest.raises(UnusableError, match="too large"):
        make(stub).complete(REQUEST)


def test_no_key_for_gemini(monkeypatch: pytest.MonkeyPatch):
    for name in ("GEMINI_API_KEY", "GOOGLE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(RefusedError, match="GEMINI_API_KEY or GOOGLE_API_KEY"):
        GeminiModel(GeminiOptions())


@pytest.mark.parametrize("key", ["se cret", "se\x01cret", "secr\u00e9t", "se\r\nX-Header: cret"])
def test_a_key_that_no_header_can_carry_is_refused_and_not_shown(key: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GEMINI_API_KEY", key)
    with pytest.raises(RefusedError, match="printable ASCII") as raised:
        GeminiModel(GeminiOptions())
    assert "cr" not in str(raised.value).replace("characters", "")


@pytest.mark.parametrize("url", ["", "localhost:8000", "ftp://host", "http://me:secret@localhost/v1", "http://[::1"])
def test_addresses_of_another_form(url: str):
    with pytest.raises(RefusedError, match="valid") as raised:
        ChatModel(ChatOptions(url=url, model="m"))
    assert "me:secret" not in str(raised.value)


def test_a_key_never_goes_unencrypted_to_another_machine():
    with pytest.raises(RefusedError, match="unencrypted"):
        ChatModel(ChatOptions(url="http://gpu:8000/v1", model="m"))
    ChatModel(ChatOptions(url="http://gpu:8000/v1", model="m", key_variable=""))
    ChatModel(ChatOptions(url="https://gpu:8000/v1", model="m"))


def test_a_local_server_without_a_key(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    with serving(answers(GOOD), key="") as stub:
        assert chat(stub).complete(REQUEST).value == {"a": 1}
    assert "authorization" not in stub.asked[0].headers


@pytest.mark.parametrize("model", ["", "../../secrets", "a b", "m:generateContent?x"])
def test_names_of_models_that_would_change_the_address(model: str):
    with pytest.raises(RefusedError, match="valid is for example"):
        GeminiModel(GeminiOptions(model=model))
