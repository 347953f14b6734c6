# SPDX-License-Identifier: Apache-2.0
"""Every module that is not named as a ROS one in pyproject.toml imports in a process where ROS 2 does not exist."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
ROS_MODULES = [re.compile(pattern) for pattern in PROJECT["tool"]["vla"]["ros_modules"]]
PACKAGES = sorted(path.parent.name for path in ROOT.glob("src/*/setup.py"))
IMPORT_WITHOUT_ROS = """
import importlib, sys

class NoRos:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0].endswith(("rclpy", "_msgs", "_srvs", "rosidl_runtime_py", "cv_bridge")):
            raise ModuleNotFoundError(f"{name} is ROS, and this process has none")

sys.meta_path.insert(0, NoRos())
for module in sys.argv[1:]:
    importlib.import_module(module)
"""


def ros_free_modules(package: str) -> list[str]:
    folder = ROOT / "src" / package
    files = [path for path in sorted((folder / package).rglob("*.py")) if path.name != "__main__.py"]
    free = [path for path in files if not any(rule.search(str(path.relative_to(ROOT))) for rule in ROS_MODULES)]
    return [".".join(path.relative_to(folder).with_suffix("").parts).removesuffix(".__init__") for path in free]


@pytest.mark.parametrize("package", PACKAGES)
def test_core_imports_without_ros(package: str) -> None:
    modules = ros_free_modules(package)
    assert package in modules
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_WITHOUT_ROS, *modules], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_check_itself_notices_ros() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_WITHOUT_ROS, "rclpy"], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode != 0
    assert "this process has none" in done.stderr
