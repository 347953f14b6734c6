# SPDX-License-Identifier: Apache-2.0
"""The words that halt the robot: a built-in list, and what a site adds to it."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml
from vla_core.settings import SettingsError

_BUILT_IN = Path(__file__).with_name("halt_words.yaml")


@dataclass(frozen=True, slots=True)
class HaltWords:
    """Entries of halt_words.yaml by subject, all languages together; the file says what each subject means."""

    halt: tuple[str, ...] = ()
    alone: tuple[str, ...] = ()
    negations: tuple[str, ...] = ()
    between: tuple[str, ...] = ()
    exempt: tuple[str, ...] = ()
    things: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    fillers: tuple[str, ...] = ()


SUBJECTS = tuple(item.name for item in fields(HaltWords))


def built_in() -> HaltWords:
    """Return the list of this package."""
    return read_words(_BUILT_IN)


def with_site_words(path: str) -> HaltWords:
    """Return the built-in list with the additions of a site's file; an empty `path` adds nothing.

    Raises:
        SettingsError: the file cannot be read, or is not of the form of the built-in one.
    """
    ours = built_in()
    if not path:
        return ours
    theirs = read_words(Path(path))
    return HaltWords(*(getattr(ours, name) + getattr(theirs, name) for name in SUBJECTS))


def read_words(path: Path) -> HaltWords:
    """Return the words of a YAML file {subject: {language: [word]}}. Raises SettingsError for another form."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f"halt words {path} cannot be read: {error}") from error
    if not isinstance(content, dict) or not set(content) <= set(SUBJECTS):
        got = sorted(map(str, content)) if isinstance(content, dict) else type(content).__name__
        raise SettingsError(f"halt words {path} has {got}; valid keys: {', '.join(SUBJECTS)}")
    return HaltWords(**{name: _entries(path, name, by_language) for name, by_language in content.items()})


def _entries(path: Path, subject: str, by_language: Any) -> tuple[str, ...]:
    """Return the entries of all languages; YAML reads a bare `no` or `off` as a boolean, which is refused."""
    lists = list(by_language.values()) if isinstance(by_language, dict) else [] if by_language is None else None
    if lists is None or not all(isinstance(entries, list | None) for entries in lists):
        raise SettingsError(f"halt words {path}: {subject} must be lists of words by language, such as {{en: [stop]}}")
    words = [entry for entries in lists for entry in entries or ()]
    wrong = [word for word in words if not isinstance(word, str) or not word.strip()]
    if wrong:
        raise SettingsError(f"halt words {path}: {subject} has {wrong[0]!r}; a word in quotes is needed, such as 'no'")
    return tuple(words)
