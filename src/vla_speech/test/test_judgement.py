# SPDX-License-Identifier: Apache-2.0
"""What recognised text means: command, question, stop, or nothing for the robot."""

import pytest
from vla_operator.words import built_in
from vla_speech.heard import State
from vla_speech.judgement import Judge
from vla_speech.recognition.grammar import load_grammar
from vla_speech.recognition.transcript import Recogniser, Transcript
from vla_speech.settings import HearingSettings
from vla_speech.wake import split_wake

SETTINGS = HearingSettings(sure=0.6, unsure=0.2, answer_time=8.0)
RED = "pick up the red block"


@pytest.fixture
def judge():
    return Judge(load_grammar(), SETTINGS, built_in())


def hear(judge, text, confidence=0.9, addressed=False, at=10.0):
    return judge.judge(Transcript(text, confidence, Recogniser.GRAMMAR), addressed, at - 1.0, at)


@pytest.mark.parametrize(
    ("text", "called", "rest"),
    [
        ("hey robot pick it up", True, "pick it up"),
        ("Hey, Robot. Pick it up!", True, "Pick it up!"),
        ("hey robert stop", True, "stop"),
        ("heyrobot stop", True, "stop"),
        ("hey robot", True, ""),
        ("pick it up", False, "pick it up"),
        ("they wrote it", False, "they wrote it"),
        ("", False, ""),
    ],
)
def test_the_wake_phrase_is_found_and_left_out(text, called, rest):
    assert split_wake(text, "hey robot") == (called, rest)
    assert split_wake(text, "") == (True, text)


def test_only_what_is_addressed_to_the_robot_is_taken(judge):
    assert hear(judge, RED).state is State.IGNORED
    for heard in (hear(judge, f"hey robot {RED}"), hear(judge, RED, addressed=True)):
        assert (heard.state, heard.published) == (State.ACCEPTED, RED)


def test_the_command_may_follow_the_wake_phrase_after_a_pause(judge):
    assert hear(judge, "hey robot", at=10.0).published == ""
    assert hear(judge, RED, at=15.0).published == RED
    assert hear(judge, RED, at=16.0).state is State.IGNORED  # it was used
    hear(judge, "hey robot", at=20.0)
    assert hear(judge, RED, at=40.0).state is State.IGNORED


@pytest.mark.parametrize(("answer", "published"), [("yes please", RED), ("no", "")])
def test_an_unsure_command_is_asked_about(judge, answer, published):
    asked = hear(judge, RED, 0.4, addressed=True)
    assert (asked.state, asked.published, asked.question) == (State.ASKED, "", f'did you say "{RED}"?')
    answered = hear(judge, answer, at=13.0)
    assert answered.published == published
    assert answered.state is (State.ACCEPTED if published else State.REJECTED)
    assert hear(judge, "yes", at=14.0).published == ""  # a question has one answer


def test_an_answer_may_be_typed_and_comes_too_late_after_its_time(judge):
    hear(judge, RED, 0.4, addressed=True)
    assert judge.answer(True, 12.0).published == RED
    assert judge.answer(True, 12.5) is None
    hear(judge, RED, 0.4, addressed=True)
    assert judge.answer(True, 30.0) is None
    assert hear(judge, "yes", at=40.0).published == ""


def test_what_is_heard_badly_is_refused_with_examples(judge):
    for heard in (hear(judge, RED, 0.1, addressed=True), hear(judge, "", 0.0, addressed=True)):
        assert (heard.state, heard.published) == (State.REJECTED, "")
        assert RED in heard.reason


def test_free_text_has_to_be_surer_than_what_fits_the_grammar(judge):
    assert hear(judge, RED, 0.7, addressed=True).state is State.ACCEPTED
    assert hear(judge, "sleep the red block", 0.7, addressed=True).state is State.ASKED


def test_free_text_goes_out_as_it_was_said(judge):
    said = "Put <b>all</b> toys away."
    heard = hear(judge, said, addressed=True)
    assert heard.published == said


@pytest.mark.parametrize("text", ["stop", "no stop", "hold on", "please stop", "hey robot wait", "halt"])
def test_halt_words_stop_without_the_wake_phrase(judge, text):
    heard = hear(judge, text)
    assert (heard.state, heard.published) == (State.STOP, "stop")


@pytest.mark.parametrize("text", ["no", "easy", "we had to stop at the shop on our way home", "don't stop", "hold"])
def test_what_others_say_among_themselves_does_not_stop(judge, text):
    assert hear(judge, text).published == ""


def test_a_stop_that_is_hardly_recognised_is_left_to_the_halt_word(judge):
    assert hear(judge, "stop", 0.1).published == ""


def test_a_stop_drops_the_open_question(judge):
    hear(judge, RED, 0.4, addressed=True)
    assert hear(judge, "stop", at=12.0).state is State.STOP
    assert hear(judge, "yes", at=13.0).published == ""


def test_a_long_text_is_refused(judge):
    heard = hear(judge, "red " * 300, addressed=True)
    assert heard.state is State.REJECTED
    assert "too long" in heard.reason
