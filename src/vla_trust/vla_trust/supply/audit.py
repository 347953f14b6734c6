# SPDX-License-Identifier: Apache-2.0
"""The installed packages against the pins of requirements/, their own records of files, and a list of advisories."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

CODE = (".py", ".so", ".pth")  # what runs


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with a package. `kind`: pin, changed, advisory."""

    kind: str
    package: str
    text: str


def pins(folder: Path) -> dict[str, str]:
    """Return the version that requirements/*.txt pin, by the package's name."""
    found: dict[str, str] = {}
    for path in sorted(folder.glob("*.txt")):
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                wanted = Requirement(line.split(" #")[0])
            except InvalidRequirement:  # a comment, or -r
                continue
            exact = [each.version for each in wanted.specifier if each.operator == "=="]
            if exact:
                found[canonicalize_name(wanted.name)] = exact[0]
    return found


def audit(
    distributions: Iterable[Distribution],
    wanted: Mapping[str, str],
    advisories: Iterable[Mapping[str, Any]],
    hashes: bool = True,
) -> Iterator[Finding]:
    """Yield what differs from the pins, what was changed after it was installed, and what an advisory names.

    hashes: whether files are compared, which takes minutes with PyTorch;
    advisories: maps with `package`, `affected` (version specifiers such as "<1.2") and `id`.
    """
    known = [(canonicalize_name(str(row["package"])), row) for row in advisories]
    for each in distributions:
        name = canonicalize_name(each.metadata["Name"])
        if name in wanted and each.version.split("+")[0] != wanted[name]:
            yield Finding("pin", name, f"version {each.version}; requirements/ pin {wanted[name]}")
        yield from _changed(each, name) if hashes else ()
        for package, row in known:
            if package == name and _affected(each.version, str(row["affected"])):
                yield Finding("advisory", name, f"{row['id']}: {each.version} is in {row['affected']}")


def _affected(version: str, affected: str) -> bool:
    try:
        return SpecifierSet(affected).contains(version, prereleases=True)
    except InvalidSpecifier:
        return True  # in doubt a person looks


def _changed(each: Distribution, name: str) -> Iterator[Finding]:
    """Yield the files of code whose hash is not that of the wheel."""
    for file in each.files or ():
        if file.hash is None or file.suffix not in CODE:
            continue
        path = Path(str(each.locate_file(file)))
        if not path.is_file():
            continue  # left out on purpose by some tools
        digest = hashlib.new(file.hash.mode, path.read_bytes()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != file.hash.value:
            yield Finding("changed", name, f"{file} differs from what was installed")


def read_advisories(path: Path) -> list[Mapping[str, Any]]:
    """Return a list of advisories: JSON, a list of {package, affected, id}. Raises ValueError for another form."""
    rows = json.loads(path.read_text(encoding="utf-8"))
    valid = isinstance(rows, list) and all(
        isinstance(row, dict) and {"package", "affected", "id"} <= set(row) for row in rows
    )
    if not valid:
        raise ValueError(f"{path} is no list of advisories; valid: [{{package, affected, id}}, …]")
    return list(rows)
