# SPDX-License-Identifier: Apache-2.0
"""Patterns as automata: they accept what the pattern says, and nothing else."""

import itertools

import pytest
from vla_speech.recognition.automaton import compile_pattern

PATTERN = "[please] (take|pick up) <thing> [now]"
PARTS = {"thing": "[the] (ball|<colour> box)", "colour": "red|blue"}


def sentences():
    things = [f"{the}{thing}" for the in ("", "the ") for thing in ("ball", "red box", "blue box")]
    for please, verb, thing, now in itertools.product(("", "please "), ("take", "pick up"), things, ("", " now")):
        yield f"{please}{verb} {thing}{now}"


def test_an_automaton_accepts_every_sentence_of_its_pattern_and_no_part_of_one():
    automaton = compile_pattern(PATTERN, PARTS)
    every = set(sentences())
    assert all(automaton.accepts(sentence.split()) for sentence in every)
    parts = {" ".join(words[:end]) for sentence in every for words in [sentence.split()] for end in range(len(words))}
    assert not [part for part in parts - every if automaton.accepts(part.split())]
    assert not automaton.accepts(["take", "the", "red", "ball"])


def test_states_that_mean_the_same_are_one():
    assert len(compile_pattern("a c|b c|(a|b) c", {}).transitions) == 3


def test_every_state_leads_to_an_end():
    automaton = compile_pattern(PATTERN, PARTS)
    ending = set(automaton.accepting)
    while more := {s for s, row in enumerate(automaton.transitions) if set(row.values()) & ending} - ending:
        ending |= more
    assert ending == set(range(len(automaton.transitions)))


@pytest.mark.parametrize("pattern", ["take <what>", "(a", "a]", "a)", "[a", "a & b", "<self>"])
def test_a_pattern_that_is_not_well_formed_is_refused(pattern):
    with pytest.raises(ValueError, match=r"pattern|part"):
        compile_pattern(pattern, {"self": "x <self>"})
