# SPDX-License-Identifier: Apache-2.0
"""Print one line for several pytest runs together, from their JUnit files in the order they ran."""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree

FAILED = ("failure", "error")  # an error of a fixture counts as a failure


def outcomes(path: Path) -> dict[str, str]:
    """Return "passed", "failed" or "skipped" of every test in a JUnit file."""
    found: dict[str, str] = {}
    for case in ElementTree.parse(path).iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}"
        tags = {child.tag for child in case}
        if tags.intersection(FAILED) or found.get(name) == "failed":
            found[name] = "failed"
        else:
            found[name] = "skipped" if "skipped" in tags else "passed"
    return found


def count(paths: list[Path]) -> str:
    """Return "N passed, N failed, N skipped"; of a test that ran again the last run counts, and it is named."""
    last: dict[str, str] = {}
    mended: list[str] = []
    for path in paths:
        found = outcomes(path)
        mended += [name for name, outcome in found.items() if (last.get(name), outcome) == ("failed", "passed")]
        last |= found
    totals = {kind: list(last.values()).count(kind) for kind in ("passed", "failed", "skipped")}
    lines = [f"passed at the second try only: {name}" for name in mended]
    return "\n".join([*lines, ", ".join(f"{number} {kind}" for kind, number in totals.items())])


if __name__ == "__main__":
    print(count([Path(argument) for argument in sys.argv[1:]]))
