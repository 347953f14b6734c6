# SPDX-License-Identifier: Apache-2.0
"""The command line and the set-up scripts: refusals, speed of the second run, stages that fail or are interrupted."""

import os
import runpy
import signal
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
STAGES = """
set -euo pipefail
say() { echo "$*" >&2; }
fail() { say "error: $*"; exit 1; }
TITLE=title
source scripts/stages.sh
"""


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, timeout=60, check=False
    )


def stages(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return run("bash", "-c", STAGES + script, STATE=str(folder / "state"), LOGS=str(folder / "logs"))


@pytest.mark.parametrize("command", ["", "fly", "Build"])
def test_unknown_command_is_refused_with_the_valid_ones(command: str) -> None:
    done = run("./vla", command)
    assert done.returncode == 2
    for valid in ("build", "env", "up", "demo", "train", "eval", "data", "plot", "bench", "test"):
        assert valid in done.stderr


def test_unknown_distribution_is_refused_with_the_valid_ones() -> None:
    done = run("./vla", "build", ROS_DISTRO="humble")
    assert done.returncode == 1
    assert all(word in done.stderr for word in ("humble", "jazzy", "kilted"))


def test_named_python_of_a_wrong_version_is_refused() -> None:
    script = f"ROOT={ROOT}; source scripts/paths.sh; source scripts/system.sh; VENV=/nonexistent; system_stage"
    done = run("bash", "-c", script, PYTHON="/bin/false")
    assert done.returncode == 1
    assert "/bin/false" in done.stderr
    assert "3.11 or 3.12" in done.stderr


def test_environment_is_the_same_when_it_is_made_inside_itself() -> None:
    first = run("./vla", "env", VLA_SKIP_SETUP="1")
    nested = run("./vla", "run", "./vla", "env", VLA_SKIP_SETUP="1")
    assert first.returncode == nested.returncode == 0
    assert first.stdout == nested.stdout
    assert first.stdout.startswith("export VIRTUAL_ENV=")


@pytest.mark.skipif(os.environ.get("VLA_ROOT") != str(ROOT), reason="not run by ./vla, which alone sets this clone up")
def test_second_set_up_is_quick_and_needs_no_network() -> None:
    nowhere = "http://127.0.0.1:9"
    start = time.monotonic()
    done = run("./vla", "build", https_proxy=nowhere, http_proxy=nowhere, PIP_NO_INDEX="1")
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - start < 3.0


def test_stage_is_fresh_only_with_the_inputs_it_was_done_with(tmp_path: Path) -> None:
    assert stages("stamp base abc; fresh base abc; ! fresh base abd; ! fresh other abc", tmp_path).returncode == 0


def test_failed_stage_shows_its_log_and_leaves_no_stamp(tmp_path: Path) -> None:
    done = stages("logged broken bash -c 'echo the cause; exit 3'; stamp broken abc", tmp_path)
    assert done.returncode == 1
    assert "the cause" in done.stderr
    assert "again" in done.stderr
    assert not (tmp_path / "state").exists()


def _ends(pid: int) -> bool:
    """Whether a process that was signalled ends; a loaded machine takes its time."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.05)
    return False


def test_interrupted_stage_ends_its_children_and_leaves_no_stamp(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    script = f"logged slow bash -c 'sleep 300 & echo $! >{pid_file}; wait'; stamp slow abc"
    environment = os.environ | {"STATE": str(tmp_path / "state"), "LOGS": str(tmp_path / "logs")}
    heard = [
        "env",
        "--default-signal=INT",
        "bash",
        "-c",
    ]  # a test run in the background inherits a SIGINT that is ignored
    process = subprocess.Popen([*heard, STAGES + script], cwd=ROOT, env=environment, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 20
    while not (pid_file.exists() and pid_file.read_text().strip()) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, messages = process.communicate(timeout=20)
    assert process.returncode == 1
    assert b"interrupted" in messages
    assert not (tmp_path / "state").exists()
    assert _ends(int(pid_file.read_text()))


def test_patching_names_the_given_folders_once_and_for_all() -> None:
    patched = runpy.run_path(str(ROOT / "scripts" / "patch_wheels.py"))["patched"]
    built = "/opt/python/cp312-cp312"
    before = (
        f'set(x "{built}/include/python3.12;{built}/lib/python3.12/site-packages/numpy/_core/include;/usr/include")'
    )
    after = patched(before, "/here/python", "/here/numpy")
    assert after == 'set(x "/here/python;/here/numpy;/usr/include")'
    assert patched(after, "/here/python", "/here/numpy") == after


INTERFACES = sorted(path.parent.name for path in (ROOT / "interfaces").glob("*/package.xml"))


def folders_to_build(prefix: Path) -> list[str]:
    script = "set -euo pipefail; source scripts/interfaces.sh; package_folders"
    done = run("bash", "-c", script, ROOT=str(ROOT), VENV="/nonexistent", AMENT_PREFIX_PATH=str(prefix))
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("name", INTERFACES)
def test_interface_packages_are_built_only_where_ros_lacks_them(name: str, tmp_path: Path) -> None:
    assert f"interfaces/{name}" in folders_to_build(tmp_path)
    marker = tmp_path / "share/ament_index/resource_index/packages" / name
    marker.parent.mkdir(parents=True)
    marker.touch()
    folders = folders_to_build(tmp_path)
    assert f"interfaces/{name}" not in folders
    assert "src/vla_msgs" in folders


def test_build_of_a_message_that_was_removed_starts_afresh(tmp_path: Path) -> None:
    source, build = tmp_path / "src/some_msgs", tmp_path / ".build"
    for name in ("Kept", "Removed"):
        for file in (source / f"msg/{name}.msg", build / f"build/some_msgs/rosidl_adapter/some_msgs/msg/{name}.idl"):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
    script = f"set -euo pipefail; source scripts/interfaces.sh; drop_build_with_removed_interfaces {source}"
    assert run("bash", "-c", script, BUILD=str(build)).returncode == 0
    assert (build / "build/some_msgs").is_dir()
    (source / "msg/Removed.msg").unlink()
    assert run("bash", "-c", script, BUILD=str(build)).returncode == 0
    assert not (build / "build/some_msgs").exists()
    assert run("bash", "-c", script, BUILD=str(build)).returncode == 0


def test_own_build_does_not_count_as_ros(tmp_path: Path) -> None:
    prefix = tmp_path / "clone/.build-kilted/install"
    for name in INTERFACES:
        marker = prefix / "share/ament_index/resource_index/packages" / name
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.touch()
    assert {f"interfaces/{name}" for name in INTERFACES} <= set(folders_to_build(prefix))


def test_plain_colcon_build_does_not_see_the_interface_packages() -> None:
    assert (ROOT / "interfaces/COLCON_IGNORE").is_file()
    assert INTERFACES
