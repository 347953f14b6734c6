# SPDX-License-Identifier: Apache-2.0
"""Print one line for several pytest runs together, from their JUnit files."""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree


def count(paths: list[Path]) -> str:
    """Return "N passed, N failed, N skipped" over all files; an error of a fixture counts as a failure."""
    suites = [suite for path in paths for suite in ElementTree.parse(path).iter("testsuite")]
    total, failures, errors, skipped = (
        sum(int(suite.get(key, 0)) for suite in suites) for key in ("tests", "failures", "errors", "skipped")
    )
    return f"{total - failures - errors - skipped} passed, {failures + errors} failed, {skipped} skipped"


if __name__ == "__main__":
    print(count([Path(argument) for argument in sys.argv[1:]]))
