# SPDX-License-Identifier: Apache-2.0
"""Make the CMake files that ROS wheels export name this machine's include folders.

The wheels carry the include folders of the machine that built them. Run with the environment's own interpreter;
running it again changes nothing.
"""

from __future__ import annotations

import re
import sys
import sysconfig
from pathlib import Path

import numpy as np

PYTHON_INCLUDE = re.compile(r"/opt/python/cp\d+-cp\d+/include/python3\.\d+")
NUMPY_INCLUDE = re.compile(r"/opt/python/cp\d+-cp\d+/lib/python3\.\d+/site-packages/numpy/_?core/include")


def patched(text: str, python_include: str, numpy_include: str) -> str:
    """Return CMake `text` with the build machine's include folders replaced by those given."""
    return PYTHON_INCLUDE.sub(python_include, NUMPY_INCLUDE.sub(numpy_include, text))


def patch_tree(root: Path, python_include: str, numpy_include: str) -> int:
    """Patch every `*.cmake` below `root` in place and return how many changed."""
    changed = 0
    for path in root.rglob("*.cmake"):
        before = path.read_text(encoding="utf-8")
        after = patched(before, python_include, numpy_include)
        if after != before:
            path.write_text(after, encoding="utf-8")
            changed += 1
    return changed


if __name__ == "__main__":
    count = patch_tree(Path(sys.prefix) / "share", sysconfig.get_paths()["include"], np.get_include())
    print(f"{count} CMake files patched")
