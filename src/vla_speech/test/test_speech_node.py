# SPDX-License-Identifier: Apache-2.0
"""speech_node over DDS, with sound as the console sends it."""

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("vla_msgs")
pytest.importorskip("pocketsphinx", reason="pocketsphinx is not installed (requirements/speech.txt)")

from diagnostic_msgs.msg import DiagnosticArray
from std_msgs.msg import Bool, String
from vla_speech.sound import SAMPLE_RATE

from vla_msgs.msg import AudioChunk, Utterance

pytestmark = pytest.mark.node
AUDIO, VOICE, UTTERANCE = "/vla/audio", "/voice_command", "/vla/utterance"
RED = "pick up the red block"


@pytest.fixture(scope="module")
def node(start_node):
    process = start_node("vla_speech.speech_node", recogniser="grammar", speak="false", sure="0.1")
    process.wait_for("hearing English")
    return process


@pytest.fixture
def person(node, bench):
    """The bench, listening."""
    bench.listen(Utterance, UTTERANCE)
    bench.listen(String, VOICE)
    bench.listen(DiagnosticArray, "/diagnostics")
    bench.spin_until(lambda: bench.node.count_publishers(UTTERANCE) and bench.node.count_publishers(VOICE))
    bench.spin(0.3)
    bench.clear()
    yield bench
    assert node.process.poll() is None, node.output


def speak(person, sound, push_to_talk=False, rate=SAMPLE_RATE):
    for piece in np.array_split(sound, max(len(sound) // 1600, 1)):
        chunk = AudioChunk(sample_rate=rate, channels=1, push_to_talk=push_to_talk, samples=piece)
        person.send(AUDIO, chunk)
        person.spin(0.01)


def states(person):
    return [message.state for message in person.received[UTTERANCE]]


def test_a_command_after_the_wake_phrase_goes_out_with_its_confidence(person, sound):
    speak(person, sound("pick_up_the_red_block"))
    person.spin_until(lambda: Utterance.STATE_ACCEPTED in states(person))
    person.spin_until(lambda: person.received[VOICE])
    assert [message.data for message in person.received[VOICE]] == [RED]
    messages = person.received[UTTERANCE]
    accepted = messages[states(person).index(Utterance.STATE_ACCEPTED)]
    assert (accepted.instruction, accepted.language) == (RED, "en")
    assert 0.1 <= accepted.confidence <= 1.0
    interim = [message for message in messages if message.state == Utterance.STATE_INTERIM]
    assert interim
    assert {message.id for message in interim} == {accepted.id}


def test_stop_goes_out_while_one_still_speaks(person, sound):
    speak(person, sound("stop", after=0.35), push_to_talk=True)
    person.spin_until(lambda: person.received[VOICE])
    assert [message.data for message in person.received[VOICE]] == ["stop"]
    person.spin_until(lambda: Utterance.STATE_STOP in states(person))
    stop = person.received[UTTERANCE][states(person).index(Utterance.STATE_STOP)]
    assert stop.recogniser == Utterance.RECOGNISER_STOP
    speak(person, np.zeros(1600, np.int16), push_to_talk=False)


def test_other_speech_is_ignored(person, sound):
    speak(person, sound("talk"))
    person.spin_until(lambda: Utterance.STATE_IGNORED in states(person))
    assert not person.received[VOICE]
    person.send("/vla/speech/answer", Bool(data=True))  # nothing was asked
    person.spin(0.3)
    assert not person.received[VOICE]


def test_invalid_sound_is_refused_and_the_node_goes_on(person):
    silence = np.zeros(160, np.int16)
    wrong = [
        AudioChunk(sample_rate=100, channels=1, samples=silence),
        AudioChunk(sample_rate=16000, channels=0, samples=silence),
        AudioChunk(sample_rate=16000, channels=3, samples=silence),
        AudioChunk(sample_rate=16000, channels=1, samples=np.zeros(20000, np.int16)),
        AudioChunk(),
    ]
    status = person.diagnosis("speech_node: speech", "valid", lambda: [person.send(AUDIO, chunk) for chunk in wrong])
    assert int(next(item.value for item in status.values if item.key == "refused")) > 0


def test_a_file_that_cannot_be_read_is_refused_at_the_start(start_node, tmp_path):
    (tmp_path / "bad.wav").write_text("no sound")
    process = start_node("vla_speech.speech_node", source=str(tmp_path / "bad.wav"), recogniser="grammar")
    assert process.process.wait(timeout=60) == 2
    assert "bad.wav" in process.output
