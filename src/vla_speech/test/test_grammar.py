# SPDX-License-Identifier: Apache-2.0
"""The grammar covers every wording of training, and says which family a sentence is of."""

from pathlib import Path

import pytest
import yaml
from vla_core.settings import SettingsError
from vla_speech.recognition.grammar import HALT, NO, YES, load_grammar

ROOT = Path(__file__).resolve().parents[3]
GRAMMAR = load_grammar()
WORDS = {"object": "yellow block", "side": "left"}
TARGETS = {"pick": "", "place": "bowl", "near": "blue block", "push": ""}


def sentences(path):
    wordings = yaml.safe_load((ROOT / path).read_text())
    return [(name, text.format(**WORDS, target=TARGETS[name])) for name, texts in wordings.items() for text in texts]


def test_every_wording_of_training_fits_its_family():
    said = sentences("src/vla_training/vla_training/data/templates.yaml")
    # "bring the … to the bowl" and the like are wordings of two families
    wrong = [text for name, text in said if GRAMMAR.fit(text) != name]
    assert len(said) > 100
    assert not wrong


def test_wordings_that_training_never_used_do_not_fit():
    assert not [text for _, text in sentences("config/instructions_unseen.yaml") if GRAMMAR.fit(text)]


def test_examples_answers_and_halt_words_fit():
    assert [GRAMMAR.fit(example) for example in GRAMMAR.examples] == list(GRAMMAR.commands)
    assert (GRAMMAR.fit("Yes, please."), GRAMMAR.fit("no"), GRAMMAR.fit("Hold on!")) == (YES, NO, HALT)
    assert GRAMMAR.fit("") == GRAMMAR.fit("sing a song") == GRAMMAR.fit("pick up the red") == ""


def test_the_whole_takes_the_wake_phrase():
    whole = GRAMMAR.automaton
    for sentence in ("hey robot", "hey robot pick up the red block", "pick up the red block", "stop", "yes"):
        assert whole.accepts(sentence.split())
    assert not whole.accepts(["hey", "robot", "yes"])
    other = load_grammar(phrase="Hello, arm!").automaton
    assert other.accepts(["hello", "arm", "stop"])
    assert not other.accepts(["hey", "robot", "stop"])


@pytest.mark.parametrize(
    "text", ["", "[]", "parts: {}", "commands: {pick: [a]}\nparts: {}\nanswers: {}\nhalt: stop", "a: [", "\x00"]
)
def test_a_file_of_another_form_is_refused_with_its_name(tmp_path, text):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=r"mine\.yaml"):
        load_grammar(str(path))
    with pytest.raises(SettingsError, match=r"absent\.yaml"):
        load_grammar(str(tmp_path / "absent.yaml"))


def test_a_site_may_have_its_own_commands(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(
        'parts: {}\ncommands: {wave: ["wave [again]"]}\nanswers: {"yes": yes please, "no": nope}\nhalt: stop\n'
    )
    mine = load_grammar(str(path))
    assert (mine.fit("wave again please"), mine.fit("pick up the red block")) == ("wave", "")


def test_samples_name_every_colour_before_one_comes_twice():
    """Whisper hears the words of its prompt into noise: with one colour alone it heard that one for the others."""
    assert all(GRAMMAR.automaton.accepts(text.split()) for text in GRAMMAR.samples)
    colours = [word for text in GRAMMAR.samples for word in text.split() if word in GRAMMAR.parts["colour"].split("|")]
    assert len(colours) == len(set(colours)) == len(GRAMMAR.commands)
    assert [text.startswith("hey robot ") for text in GRAMMAR.samples] == [True, False, True, False]
