# SPDX-License-Identifier: Apache-2.0
"""Which build of PyTorch the set-up takes."""

import os
import subprocess
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[3]
FUNCTIONS = """
set -euo pipefail
say() { echo "$*" >&2; }
fail() { say "error: $*"; exit 1; }
source scripts/packages.sh
"""


def bash(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {key: value for key, value in os.environ.items() if key not in ("VLA_TORCH", "ROOT", "STATE")}
    command = ["bash", "-c", FUNCTIONS + script]
    return subprocess.run(
        command, cwd=ROOT, env=clean | environment, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize(
    ("asked", "installed", "driver", "taken"),
    [
        ("", "", False, "cpu"),
        ("", "", True, "cuda"),
        ("cpu", "", True, "cpu"),
        ("cuda", "", False, "cuda"),
        ("", "cuda", False, "cuda"),
        ("", "cpu", True, "cpu"),
        ("cuda", "cpu", False, "cuda"),
    ],
)
def test_the_variable_wins_then_what_is_installed_then_the_machine(
    asked: str, installed: str, driver: bool, taken: str, tmp_path: Path
) -> None:
    if installed:
        (tmp_path / "torch").write_text(f"{installed} 0123456789abcdef\n")
    script = f"has_nvidia() {{ {str(driver).lower()}; }}; torch_build"
    done = bash(script, STATE=str(tmp_path), VLA_TORCH=asked)
    assert done.stdout.strip() == taken, done.stderr


def test_an_unknown_build_is_refused_with_the_valid_ones_before_anything_is_done(tmp_path: Path) -> None:
    (tmp_path / "scripts").symlink_to(ROOT / "scripts")
    done = bash("exec scripts/setup.sh", ROOT=str(tmp_path), VLA_TORCH="rocm")
    assert done.returncode == 1
    assert all(word in done.stderr for word in ("rocm", "cpu, cuda"))
    assert [path.name for path in tmp_path.iterdir()] == ["scripts"]


def test_each_build_meets_its_own_requirement_alone() -> None:
    cpu, cuda = (Requirement(bash(f"torch_requirement {name}").stdout.strip()) for name in ("cpu", "cuda"))
    version = str(cuda.specifier).split("==")[1].split(",")[0].removesuffix("+cpu")
    assert cpu.specifier.contains(f"{version}+cpu")
    assert not cpu.specifier.contains(version)
    assert cuda.specifier.contains(version)
    assert not cuda.specifier.contains(f"{version}+cpu")
    assert cuda.specifier.contains(f"{version}+cu128")


def test_a_full_disk_is_noticed_before_the_download() -> None:
    done = bash("df() { printf 'Filesystem\\nx 1 2 3999 4 /\\n'; }; check_room cpu", ROOT=str(ROOT))
    assert done.returncode == 1
    assert "3999 MB free" in done.stderr
    assert bash("df() { printf 'Filesystem\\nx 1 2 4000 4 /\\n'; }; check_room cpu", ROOT=str(ROOT)).returncode == 0
