# SPDX-License-Identifier: Apache-2.0
"""The grammar of what one can say: read from YAML, written as an automaton for the recogniser, matched against text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import yaml
from vla_core.settings import SettingsError

from vla_speech.recognition.automaton import Automaton, compile_pattern

BUILT_IN = Path(__file__).with_name("grammar.yaml")
YES, NO, HALT = "yes", "no", "halt"  # what fits beside the families of commands


@dataclass(frozen=True)
class Grammar:
    """Patterns by name: parts, families of commands, answers and halt words; `phrase` wakes the robot."""

    parts: Mapping[str, str]
    commands: Mapping[str, str]
    answers: Mapping[str, str]
    halt: str
    phrase: str
    matter: tuple[str, ...] = ()  # parts whose word decides which task is meant

    def fit(self, text: str) -> str:
        """Return what `text`, without the wake phrase, fits: a family, YES, NO, HALT; empty: nothing."""
        words = spoken_words(text).split()
        return next((name for name, automaton in self._automata.items() if automaton.accepts(words)), "")

    @cached_property
    def automaton(self) -> Automaton:
        """All that one can say, with and without the wake phrase."""
        called = f"[{self.phrase}] " if self.phrase else ""
        commands = "|".join(f"<{name}>" for name in self.commands)
        sayings = [f"{called}[<polite>] ({commands}) [<after>]", f"{called}({self.halt})", *self.answers.values()]
        return compile_pattern("|".join([*sayings, self.phrase] if self.phrase else sayings), self._known)

    @property
    def examples(self) -> tuple[str, ...]:
        """One sentence for each family of commands."""
        return tuple(_example(pattern, self.parts) for pattern in self.commands.values())

    @property
    def samples(self) -> tuple[str, ...]:
        """A sentence of each family, every second one after the wake phrase, with words that matter in turn."""
        call = (f"{self.phrase} " if self.phrase else "", "")
        said = (_example(pattern, self.parts, self.matter, turn) for turn, pattern in enumerate(self.commands.values()))
        return tuple(call[number % 2] + text for number, text in enumerate(said))

    @property
    def words(self) -> frozenset[str]:
        """Every word of the grammar."""
        return frozenset(word for row in self.automaton.transitions for word in row)

    @cached_property
    def _known(self) -> Mapping[str, str]:
        return {**self.parts, **self.commands}

    @cached_property
    def _automata(self) -> dict[str, Automaton]:
        families = {name: f"[<polite>] <{name}> [<after>]" for name in self.commands}
        patterns = {**families, **self.answers, HALT: self.halt}
        return {name: compile_pattern(pattern, self._known) for name, pattern in patterns.items()}


def load_grammar(path: str = "", phrase: str = "hey robot") -> Grammar:
    """Return the grammar of a YAML file, empty for the built-in one.

    Raises:
        SettingsError: the file cannot be read or has another form; a pattern is not well formed.
    """
    file = Path(path) if path else BUILT_IN
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f"grammar {file} cannot be read: {error}") from error
    try:
        commands = {name: "|".join(f"({wording})" for wording in said) for name, said in content["commands"].items()}
        grammar = Grammar(
            {"polite": "please", "after": "please", **content["parts"]},
            commands,
            {YES: content["answers"][YES], NO: content["answers"][NO]},
            content["halt"],
            spoken_words(phrase),
            tuple(content.get("matter", ())),
        )
        grammar.fit("")  # every pattern is well formed
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        valid = (
            "parts {name: pattern}, commands {family: [pattern]}, answers {yes, no} and halt, as in the built-in one"
        )
        raise SettingsError(f"grammar {file}: {error!r}; valid: {valid}") from error
    return grammar


def spoken_words(text: str) -> str:
    """Return the words of `text` in small letters, without punctuation."""
    return " ".join(re.findall(r"[\w']+", text.lower().replace("’", "'")))


def _example(pattern: str, known: Mapping[str, str], matter: Sequence[str] = (), turn: int = 0) -> str:
    """Return a sentence that fits: the first of each choice, nothing that may be left out but an article.

    Of the parts `matter` the alternative number `turn` is taken, and one further each time; numbers wrap around.
    """
    first = re.sub(r"\[(the)\]", r"\1", pattern)
    while match := re.search(r"<(\w+)>", first):
        inner = re.sub(r"\[(the)\]", r"\1", known[match[1]])
        if match[1] in matter:
            words = inner.split("|")
            inner, turn = words[turn % len(words)], turn + 1
        first = f"{first[: match.start()]}({inner}){first[match.end() :]}"
    while "[" in first or "(" in first:
        first = re.sub(r"\[[^\[\]()]*\]", "", first)
        first = re.sub(r"\(([^\[\]()|]*)[^\[\]()]*\)", r"\1", first)
    return " ".join(first.partition("|")[0].split())
