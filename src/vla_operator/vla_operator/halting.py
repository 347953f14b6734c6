# SPDX-License-Identifier: Apache-2.0
"""Whether an utterance asks the robot to halt. In doubt it does: whoever asked for motion says so again."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property

from vla_operator.words import HaltWords, built_in

_CLAUSE = re.compile(r"[.!?;,:…。！？、，；\n\u2013\u2014]|\s-+\s")
_UNSPACED = re.compile("[\u0e00-\u0e7f\u1100-\u11ff\u3040-\u30ff\u3130-\u318f\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]")
_TYPO_RATIO = 0.75  # similarity at which a lone word is taken for a halt word: one letter of four wrong, or two swapped

Tokens = tuple[str, ...]


def fold(text: str) -> str:
    """Return `text` without differences of case, width, accents, apostrophes and invisible characters."""
    letters = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    kept = (
        c for c in letters if not "\u0300" <= c <= "\u036f" and unicodedata.category(c) != "Cf" and c not in "'’‘`´"
    )
    return unicodedata.normalize("NFKC", "".join(kept))


def tokens(folded: str) -> Tokens:
    """Return the words of a folded text, each with repeated letters once; marks belong to their word."""
    spaced = "".join(c if unicodedata.category(c)[0] in "LMN" else " " for c in folded)
    return tuple(re.sub(r"(.)\1+", r"\1", word) for word in spaced.split())


@dataclass(frozen=True)
class HaltDetector:
    """Finds halt words by `words`."""

    words: HaltWords

    def means_halt(self, text: str) -> bool:
        """Return whether `text` asks to halt.

        A halt word halts wherever it stands, unless it is negated ("don't stop"), names a thing ("the stop sign") or is
        the end of a task ("pick up the block and stop").
        """
        folded = fold(text)
        for exempt in self._exempt:
            folded = folded.replace(exempt, " ")
        clauses = [tokens(clause) for clause in _CLAUSE.split(folded)]
        return (
            any(self._halts(clause) for clause in clauses)
            or self._unspaced_halts(folded)
            or self._alone([word for clause in clauses for word in clause])
        )

    def _halts(self, clause: Tokens) -> bool:
        found = _occurrences(clause, self._halt)
        return any(not self._negated(clause[:start]) and not self._harmless(clause, start, end) for start, end in found)

    def _negated(self, before: Tokens) -> bool:
        while (between := _ending(before, self._between)) is not None:
            before = before[: -len(between)]
        negation = _ending(before, self._negations)
        return negation is not None and before[: -len(negation)][-1:] != ("why",)

    def _harmless(self, clause: Tokens, start: int, end: int) -> bool:
        before, after = clause[:start], clause[end:]
        if after[:1] and after[:1] in self._things:
            return bool(self._content(before) or self._content(after[1:]))
        content = self._content(before)
        return _ending(before, self._ends) is not None and len(content) > 1 and content[:1] in self._verbs

    def _content(self, words: Sequence[str]) -> Tokens:
        """Return the words that are neither fillers nor joiners."""
        return _without(words, self._fillers | self._ends)

    def _alone(self, words: Sequence[str]) -> bool:
        if len(words) > 1 and all(len(word) == 1 for word in words):
            words = ["".join(words)]  # spelled: "s-t-o-p"
        if len(words) == 1 and self._is_nearly_halt(words[0]):
            return True
        meant = _without(words, self._fillers)
        return bool(meant) and not _without(meant, self._alone_words)

    def _is_nearly_halt(self, word: str) -> bool:
        lone = [entry[0] for entry in self._halt if len(entry) == 1 and len(entry[0]) > 3]
        near = [entry for entry in lone if abs(len(entry) - len(word)) < 2]
        return bool(get_close_matches(word, near, n=1, cutoff=_TYPO_RATIO))

    def _unspaced_halts(self, folded: str) -> bool:
        dense = "".join(folded.split())
        for match in self._dense_halt.finditer(dense):
            before, after = dense[: match.start()], dense[match.end() :]
            named = after.startswith(self._dense_things) and bool(before)
            if not before.endswith(self._dense_negations) and not named:
                return True
        return dense.strip("。！？、，!?,. ") in self._dense_alone

    @cached_property
    def _halt(self) -> frozenset[Tokens]:
        return _spaced(self.words.halt)

    @cached_property
    def _alone_words(self) -> frozenset[Tokens]:
        return _spaced(self.words.alone)

    @cached_property
    def _negations(self) -> frozenset[Tokens]:
        return _spaced(self.words.negations)

    @cached_property
    def _between(self) -> frozenset[Tokens]:
        return _spaced(self.words.between)

    @cached_property
    def _things(self) -> frozenset[Tokens]:
        return _spaced(self.words.things)

    @cached_property
    def _ends(self) -> frozenset[Tokens]:
        return _spaced(self.words.ends)

    @cached_property
    def _verbs(self) -> frozenset[Tokens]:
        return _spaced(self.words.verbs)

    @cached_property
    def _fillers(self) -> frozenset[Tokens]:
        return _spaced(self.words.fillers)

    @cached_property
    def _exempt(self) -> Tokens:
        return tuple(fold(word) for word in self.words.exempt)

    @cached_property
    def _dense_halt(self) -> re.Pattern[str]:
        longest_first = sorted(_dense(self.words.halt), key=len, reverse=True)
        return re.compile("|".join(map(re.escape, longest_first)) or "(?!)")

    @cached_property
    def _dense_alone(self) -> Tokens:
        return _dense(self.words.alone)

    @cached_property
    def _dense_negations(self) -> Tokens:
        return _dense(self.words.negations)

    @cached_property
    def _dense_things(self) -> Tokens:
        return _dense(self.words.things)


def _spaced(entries: Iterable[str]) -> frozenset[Tokens]:
    return frozenset(tokens(fold(entry)) for entry in entries if not _UNSPACED.search(entry))


def _dense(entries: Iterable[str]) -> Tokens:
    return tuple("".join(fold(entry).split()) for entry in entries if _UNSPACED.search(entry))


def _occurrences(words: Sequence[str], entries: frozenset[Tokens]) -> Iterator[tuple[int, int]]:
    """Yield start and end of the longest entry at each place."""
    longest = max(map(len, entries), default=0)
    for start in range(len(words)):
        for length in range(longest, 0, -1):
            if start + length <= len(words) and tuple(words[start : start + length]) in entries:
                yield start, start + length
                break


def _ending(words: Tokens, entries: frozenset[Tokens]) -> Tokens | None:
    """Return the longest entry that `words` end with."""
    longest = max(map(len, entries), default=0)
    for length in range(min(longest, len(words)), 0, -1):
        if words[-length:] in entries:
            return words[-length:]
    return None


def _without(words: Sequence[str], entries: frozenset[Tokens]) -> Tokens:
    """Return `words` without what the entries cover."""
    covered = {index for start, end in _occurrences(words, entries) for index in range(start, end)}
    return tuple(word for index, word in enumerate(words) if index not in covered)


BUILT_IN = HaltDetector(built_in())
"""The detector by the built-in words alone."""
