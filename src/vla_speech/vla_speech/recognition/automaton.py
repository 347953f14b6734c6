# SPDX-License-Identifier: Apache-2.0
"""Patterns of words as deterministic automata with as few states as possible.

PocketSphinx expands nested rules of JSGF into epsilon transitions, whose closure takes minutes for a grammar of this
size; a deterministic automaton has none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_TOKEN = re.compile(r"<(\w+)>|([\[\]()|])|([\w']+)|(\s+)|(.)")
_Edges = list[tuple[int, str, int]]  # from, word (empty: none), to


@dataclass(frozen=True, slots=True)
class Automaton:
    """Transitions by state and word; the state 0 is the first."""

    transitions: tuple[Mapping[str, int], ...]
    accepting: frozenset[int]

    def accepts(self, words: Sequence[str]) -> bool:
        """Return whether the sequence of words is in the language."""
        state: int | None = 0
        for word in words:
            state = self.transitions[state].get(word) if state is not None else None
        return state in self.accepting


def compile_pattern(pattern: str, parts: Mapping[str, str]) -> Automaton:
    """Return the automaton of a pattern; `<name>` in it stands for the pattern `parts[name]`.

    Raises:
        ValueError: the pattern is not well formed, names a part that is absent, or a part contains itself.
    """
    builder = _Builder(parts)
    end = builder.pattern(pattern, 0, ())
    return _minimal(*_deterministic(builder.edges, end))


class _Builder:
    """Writes patterns as edges of a nondeterministic automaton."""

    def __init__(self, parts: Mapping[str, str]) -> None:
        self._parts = parts
        self.edges: _Edges = []
        self._states = 1

    def _new(self) -> int:
        self._states += 1
        return self._states - 1

    def pattern(self, pattern: str, start: int, within: tuple[str, ...]) -> int:
        """Write a whole pattern from the state `start`; return its end."""
        tokens = [match for match in _TOKEN.findall(pattern) if not match[3]]
        wrong = next((match[4] for match in tokens if match[4]), "")
        end, rest = self._choice(tokens, start, within)
        if wrong or rest:
            raise ValueError(f"pattern {pattern!r} has {wrong or rest[0][1]!r}; valid: words, <part>, [ ], ( ), |")
        return end

    def _choice(
        self, tokens: list[tuple[str, ...]], start: int, within: tuple[str, ...]
    ) -> tuple[int, list[tuple[str, ...]]]:
        end, state = self._new(), start
        while tokens and tokens[0][1] not in ("]", ")"):
            (name, mark, word, _, _), tokens = tokens[0], tokens[1:]
            if mark == "|":
                self.edges.append((state, "", end))
                state = start
            elif mark:
                inner, tokens = self._choice(tokens, self._after(state, ""), within)
                if not tokens or tokens[0][1] != {"[": "]", "(": ")"}[mark]:
                    raise ValueError(f"a {mark!r} of a pattern is not closed")
                tokens = tokens[1:]
                if mark == "[":
                    self.edges.append((state, "", inner))
                state = inner
            elif name:
                if name in within or name not in self._parts:
                    raise ValueError(f"<{name}> is not a part, or contains itself; parts: {', '.join(self._parts)}")
                state = self.pattern(self._parts[name], self._after(state, ""), (*within, name))
            else:
                state = self._after(state, word)
        self.edges.append((state, "", end))
        return end, tokens

    def _after(self, state: int, word: str) -> int:
        self.edges.append((state, word, self._new()))
        return self._states - 1


def _deterministic(edges: _Edges, end: int) -> tuple[list[dict[str, int]], set[int]]:
    """Return transitions and accepting states by the construction of subsets."""
    silent: dict[int, list[int]] = {}
    spoken: dict[int, list[tuple[str, int]]] = {}
    for start, word, target in edges:
        if word:
            spoken.setdefault(start, []).append((word, target))
        else:
            silent.setdefault(start, []).append(target)

    def closure(states: set[int]) -> frozenset[int]:
        todo, found = list(states), set(states)
        while todo:
            new = [target for target in silent.get(todo.pop(), ()) if target not in found]
            found.update(new)
            todo.extend(new)
        return frozenset(found)

    subsets = {closure({0}): 0}
    transitions: list[dict[str, int]] = []
    for subset in (queue := list(subsets)):
        targets: dict[str, set[int]] = {}
        for word, target in (pair for state in subset for pair in spoken.get(state, ())):
            targets.setdefault(word, set()).add(target)
        row = {}
        for word, states in targets.items():
            next_subset = closure(states)
            if next_subset not in subsets:
                subsets[next_subset] = len(subsets)
                queue.append(next_subset)
            row[word] = subsets[next_subset]
        transitions.append(row)
    return transitions, {number for subset, number in subsets.items() if end in subset}


def _minimal(transitions: list[dict[str, int]], accepting: set[int]) -> Automaton:
    """Merge states from which the same sequences are accepted."""
    group = [int(state in accepting) for state in range(len(transitions))]
    while True:
        marks = [
            (group[state], tuple(sorted((word, group[target]) for word, target in row.items())))
            for state, row in enumerate(transitions)
        ]
        numbers: dict[object, int] = {}
        merged = [numbers.setdefault(mark, len(numbers)) for mark in marks]  # the first state stays 0
        if len(numbers) == len(set(group)):
            break
        group = merged
    rows: dict[int, dict[str, int]] = {}
    for state, row in enumerate(transitions):
        rows.setdefault(merged[state], {word: merged[target] for word, target in row.items()})
    return Automaton(
        tuple(rows[number] for number in range(len(rows))), frozenset(merged[state] for state in accepting)
    )
