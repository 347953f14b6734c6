# SPDX-License-Identifier: Apache-2.0
"""The command line in unfriendly surroundings: the clone's path, a missing home."""

import os
import stat
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
FUNCTIONS = """
set -euo pipefail
say() { echo "$*" >&2; }
fail() { say "error: $*"; exit 1; }
source scripts/stages.sh
source scripts/system.sh
"""


def bash(script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = ["bash", "-c", FUNCTIONS + script, "bash", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("place", ["/home/me/vla", "/home/me/my clone/vla", "/a-b_c.d+e=f@g~h,i/j"])
def test_a_clone_may_lie_where_the_build_works(place: str) -> None:
    assert bash("check_place", ROOT=place).returncode == 0


@pytest.mark.parametrize("sign", ["ö", "日", ":", ";", "$", '"', "'", "\\", "(", "\n", "\t", "*", "#", "&", "%"])
@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_a_clone_elsewhere_is_refused_with_what_is_valid(sign: str, locale: str) -> None:
    done = bash("check_place", ROOT=f"/home/me/cl{sign}ne/vla", LC_ALL=locale)
    assert done.returncode == 1
    assert f"/home/me/cl{sign}ne/vla" in done.stderr
    assert "Valid: ASCII letters" in done.stderr


def test_the_place_is_judged_before_anything_else_is_done(tmp_path: Path) -> None:
    clone = tmp_path / "clöne"
    (clone / "scripts").mkdir(parents=True)
    for script in (ROOT / "scripts").glob("*.sh"):
        (clone / "scripts" / script.name).symlink_to(script)
    environment = {key: value for key, value in os.environ.items() if key != "ROOT"} | {"ROOT": str(clone)}
    command = ["bash", str(ROOT / "scripts" / "setup.sh")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "Valid: ASCII letters" in done.stderr
    assert [path.name for path in clone.iterdir()] == ["scripts"]


SCRIPTS = {
    "#!/home/me/vla/.venv/bin/python\nprint()\n": "#!/usr/bin/env python3\nprint()\n",
    '#!"/home/me/my clone/.venv/bin/python3.12"\nprint()\n': "#!/usr/bin/env python3\nprint()\n",
    "#!/usr/bin/env python3\nprint()\n": "#!/usr/bin/env python3\nprint()\n",
    "#!/bin/sh\necho /bin/python\n": "#!/bin/sh\necho /bin/python\n",
    "no script": "no script",
}


@pytest.mark.parametrize(("before", "after"), SCRIPTS.items())
def test_python_scripts_start_by_path(before: str, after: str, tmp_path: Path) -> None:
    script = tmp_path / "a script"
    script.write_text(before)
    script.chmod(0o755)
    assert bash('portable_shebangs "$@"', str(script), str(tmp_path / "absent")).returncode == 0
    assert script.read_text() == after
    assert stat.S_IMODE(script.stat().st_mode) == 0o755


@pytest.mark.parametrize("home", [None, "", "relative", "a file"])
def test_ros_has_a_folder_for_its_log_without_a_home(home: str | None, tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if key not in ("HOME", "ROS_LOG_DIR", "ROS_HOME")}
    environment["VLA_SKIP_SETUP"] = "1"
    if home is not None:
        (tmp_path / "a file").touch()
        environment["HOME"] = str(tmp_path / home) if home == "a file" else home
    command = ["./vla", "run", "printenv", "ROS_LOG_DIR"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert Path(done.stdout.strip()).is_absolute(), done.stderr


@pytest.mark.parametrize("name", ["ROS_LOG_DIR", "ROS_HOME"])
def test_a_chosen_folder_for_the_log_is_left_alone(name: str, tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if key not in ("HOME", "ROS_LOG_DIR", "ROS_HOME")}
    environment |= {"VLA_SKIP_SETUP": "1", name: str(tmp_path)}
    done = subprocess.run(
        ["./vla", "run", "env"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert f"{name}={tmp_path}" in done.stdout
    assert ("ROS_LOG_DIR=" in done.stdout) is (name == "ROS_LOG_DIR")
