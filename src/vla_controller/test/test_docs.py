# SPDX-License-Identifier: Apache-2.0
"""docs/controller.md names what there is: refusals, outputs, error codes, and only settings that exist."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from vla_controller.settings import ControllerSettings, NodeSettings
from vla_controller.trajectory.goal import ErrorCode

ROOT = Path(__file__).resolve().parents[3]
TEXT = (ROOT / "docs" / "controller.md").read_text(encoding="utf-8")
SOURCES = sorted((ROOT / "src" / "vla_controller" / "vla_controller").rglob("*.py"))


def rows(heading: str) -> list[list[str]]:
    section = TEXT.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return [line.split("|")[1:-1] for line in section.splitlines() if line.startswith("| `")]


def test_every_refusal_is_explained_and_no_other() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES)
    names = set(re.findall(r'Refusal\(\s*"([a-z_]+)"', source)) | {"wrong_joints", "bad_shape"}
    explained = [name for row in rows("Refusals") for name in re.findall(r"`([a-z_]+)`", row[0])]
    assert sorted(explained) == sorted(names)


def test_every_output_stands_in_the_table() -> None:
    source = (ROOT / "src/vla_controller/vla_controller/ros/outputs.py").read_text(encoding="utf-8")
    table = source.split("OUTPUTS = {", 1)[1].split("\n}", 1)[0]
    made = {(name, topic) for name, topic in re.findall(r'"(\w+)": Output\(\w+, "([^"]*)"', table)}
    assert {row[0].strip(" `") for row in rows("Outputs")} == {"output", *(name for name, _ in made)}
    assert all(topic in TEXT for _, topic in made)


def test_every_error_code_is_explained() -> None:
    assert all(f"| {code.value} {code.name} |" in TEXT for code in ErrorCode)


def test_the_settings_it_names_exist() -> None:
    known = {item.name for kind in (ControllerSettings, NodeSettings) for item in fields(kind)}
    text = (
        "output arm_command_topic rate joint_state_timeout max_clock_jump max_chunk_age max_chunk_lead start_tolerance "
        "path_tolerance goal_tolerance goal_time collision_check collision_service collision_budget motion_budget "
        "realtime"
    )
    words = set(text.split())
    assert words <= known
    assert all(f"`{word}" in TEXT for word in words)
