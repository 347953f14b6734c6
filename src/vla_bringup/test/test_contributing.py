# SPDX-License-Identifier: Apache-2.0
"""What contributors and GitHub are told to run exists."""

import re
import runpy
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
COMMANDS = set(re.findall(r'^COMMANDS="(.*)"$', (ROOT / "vla").read_text(), re.MULTILINE)[0].split())


def test_the_workflow_calls_the_two_commands_of_the_readme() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yaml").read_text())
    job = workflow["jobs"]["test"]
    assert job["runs-on"] == "ubuntu-24.04"
    assert [step["run"] for step in job["steps"] if "run" in step] == ["make test", "make demo"]
    assert {"test", "demo"} <= TARGETS
    assert set(job["strategy"]["matrix"]["ros"]) == {
        path.stem.removeprefix("ros-") for path in (ROOT / "requirements").glob("ros-*.txt")
    }


def test_pre_commit_runs_the_checks_of_lint() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    assert [hook["entry"] for hook in hooks] == ["./vla test --lint"]
    assert "./vla test --lint" in (ROOT / "Makefile").read_text()


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "README.md"])
def test_commands_and_paths_in_the_text_exist(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert set(re.findall(r"\./vla ([a-z-]+)", text)) <= COMMANDS
    assert set(re.findall(r"`make ([a-z]+)", text)) <= TARGETS
    paths = re.findall(r"`((?:src|config|docs|launch|scripts|requirements|docker|interfaces)/[\w./-]*)`", text)
    assert paths
    assert not [path for path in paths if not (ROOT / path).exists()]


def test_several_runs_are_counted_together(tmp_path: Path) -> None:
    """An error of a fixture counts as a failure, and the last run of a test counts."""
    runs = (
        {"a": "", "b": "<failure/>", "c": "<error/>", "d": "<skipped/>", "e": "<failure/>"},
        {"b": "", "c": "<failure/>"},
        {"f": "", "g": ""},
    )
    files = []
    for number, run in enumerate(runs):
        cases = "".join(f'<testcase classname="m" name="{name}">{tag}</testcase>' for name, tag in run.items())
        files.append(tmp_path / f"{number}.xml")
        files[-1].write_text(f"<testsuites><testsuite>{cases}</testsuite></testsuites>")
    count = runpy.run_path(str(ROOT / "scripts" / "count_tests.py"))["count"]
    assert count(files) == "passed at the second try only: m::b\n4 passed, 2 failed, 1 skipped"
