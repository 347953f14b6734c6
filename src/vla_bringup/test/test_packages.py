# SPDX-License-Identifier: Apache-2.0
"""What colcon, rosdep and ros2 read of each package: setup.py, setup.cfg, package.xml."""

import configparser
import json
import subprocess
import sys
from pathlib import Path

import pytest
from catkin_pkg.package import parse_package

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = sorted(path.parent.name for path in ROOT.glob("src/*/package.xml"))
PYTHON_PACKAGES = sorted(path.parent.name for path in ROOT.glob("src/*/setup.py"))
READ_SETUP = """
import json, os, sys
from distutils.core import run_setup
import setuptools
found = {}
for folder in sys.argv[1:]:
    os.chdir(folder)
    it = run_setup("setup.py", stop_after="init")
    found[it.get_name()] = dict(tests=it.extras_require.get("test", []), version=it.get_version(),
                                licence=it.get_license(), maintainer=[it.get_maintainer(), it.get_maintainer_email()])
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def setups() -> dict[str, dict[str, object]]:
    """What the setup.py of each package says."""
    folders = [str(ROOT / "src" / package) for package in PYTHON_PACKAGES]
    done = subprocess.run([sys.executable, "-c", READ_SETUP, *folders], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("package", PYTHON_PACKAGES)
def test_colcon_test_takes_pytest(package: str, setups: dict[str, dict[str, object]]) -> None:
    """Without this `colcon test` falls back to unittest, which finds nothing and passes."""
    assert setups[package]["tests"] == ["pytest"]
    assert "python3-pytest" in [item.name for item in manifest(package).test_depends]


@pytest.mark.parametrize("package", PYTHON_PACKAGES)
def test_scripts_run_in_the_active_environment(package: str) -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "src" / package / "setup.cfg")
    assert config["build_scripts"]["executable"] == "/usr/bin/env python3"
    assert config["install"]["install_scripts"] == config["develop"]["script_dir"] == f"$base/lib/{package}"


@pytest.mark.parametrize("package", PACKAGES)
def test_package_xml_is_valid_and_agrees_with_setup_py(package: str, setups: dict[str, dict[str, object]]) -> None:
    found = manifest(package)
    assert found.name == package
    assert found.package_format == 3
    if package in setups:
        person = found.maintainers[0]
        assert setups[package]["version"] == found.version
        assert setups[package]["licence"] == found.licenses[0]
        assert setups[package]["maintainer"] == [person.name, person.email]


def manifest(package: str):
    """Return the parsed package.xml; fails on what catkin_pkg, the parser of colcon and rosdep, only warns about."""
    path = ROOT / "src" / package / "package.xml"
    warnings: list[str] = []
    found = parse_package(str(path), warnings=warnings)
    assert not warnings
    return found
