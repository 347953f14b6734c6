# SPDX-License-Identifier: Apache-2.0
"""The Foxglove layouts and the RViz configuration show topics that the graph has, of the types that they expect."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from vla_bringup.graph import GRAPH
from vla_bringup.resolution import NodeStart

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "scripts"))
import docs_interfaces  # noqa: E402

SHARE = Path(__file__).parents[1]
STARTED = {start.name for start in GRAPH.resolve({"recordings": "bags"}, SHARE) if isinstance(start, NodeStart)}
PUBLISHED = {
    "/" + item.name.lstrip("/"): item.type
    for node in docs_interfaces.find_nodes()
    if node.name in STARTED
    for item in node.interfaces()
    if item.kind == "topic" and item.role == "publishes"
} | {
    "/robot_description": "std_msgs/msg/String",
    "/tf": "tf2_msgs/msg/TFMessage",
}  # robot_state_publisher, in the graph
LAYOUTS = sorted((ROOT / "config/foxglove").glob("*.json"))
PANELS = {  # what a panel can show; None: any message
    "Image": "sensor_msgs/msg/Image",
    "DiagnosticSummary": "diagnostic_msgs/msg/DiagnosticArray",
    "Plot": None,
    "StateTransitions": None,
    "RawMessages": None,
    "3D": None,
}
DISPLAYS = {
    "rviz_default_plugins/RobotModel": "std_msgs/msg/String",
    "rviz_default_plugins/Pose": "geometry_msgs/msg/PoseStamped",
    "rviz_default_plugins/Image": "sensor_msgs/msg/Image",
}


def paths_of(panel: dict[str, Any]) -> list[str]:
    """Return every message path that a Foxglove panel names."""
    found = [panel[key] for key in ("topicPath", "topicToRender") if key in panel]
    found += [item["value"] for item in panel.get("paths", [])] + list(panel.get("topics", {}))
    found += [layer["topic"] for layer in panel.get("layers", {}).values() if "topic" in layer]
    return found + ([panel["imageMode"]["imageTopic"]] if "imageMode" in panel else [])


def fields_of(kind: str) -> dict[str, str]:
    """Return the fields of a message of vla_msgs, and of the standard ones that a layout goes into."""
    if kind == "geometry_msgs/Vector3":
        return dict.fromkeys("xyz", "float64")
    text = (ROOT / "src/vla_msgs/msg" / f"{kind.rsplit('/', 1)[-1]}.msg").read_text()
    rows = [line.split("#")[0].split() for line in text.splitlines()]
    return {row[1]: row[0] for row in rows if len(row) == 2 and "=" not in row[1]}


def check_path(path: str, recorded: bool) -> None:
    """A topic of the graph, and fields that its message has."""
    topic, *names = path.split(".")
    topic = topic.removesuffix("/compressed") if recorded else topic
    assert topic in PUBLISHED, f"{path}; valid are {sorted(PUBLISHED)}"
    kind = PUBLISHED[topic]
    for name in names:
        field = re.sub(r"\[\d+\]$", "", name)
        assert field in fields_of(kind), f"{path}: {kind} has {sorted(fields_of(kind))}"
        found = fields_of(kind)[field]
        assert ("[" in name) == found.endswith("[]"), path
        kind = found.removesuffix("[]")


@pytest.mark.parametrize("path", LAYOUTS, ids=lambda path: path.stem)
def test_a_foxglove_layout_shows_topics_and_fields_that_there_are(path: Path) -> None:
    layout = json.loads(path.read_text())
    shown = set()
    for name, panel in layout["configById"].items():
        kind = PANELS[name.split("!")[0]]
        for message_path in paths_of(panel):
            check_path(message_path, recorded=path.stem == "recorded")
            if kind is not None and path.stem == "live":
                assert PUBLISHED[message_path] == kind
            shown.add(message_path.split(".")[0].removesuffix("/compressed"))
    assert {
        "/camera/image_raw",
        "/robot_description",
        "/vla/controller_status",
        "/vla/plan",
        "/vla/policy_status",
    } <= shown


def panels_in(layout: Any) -> Iterator[str]:
    """Yield the panels of a layout's tree."""
    if isinstance(layout, str):
        yield layout
    else:
        yield from panels_in(layout["first"])
        yield from panels_in(layout["second"])


@pytest.mark.parametrize("path", LAYOUTS, ids=lambda path: path.stem)
def test_every_panel_has_a_place_and_a_configuration(path: Path) -> None:
    layout = json.loads(path.read_text())
    assert sorted(panels_in(layout["layout"])) == sorted(layout["configById"])


def test_the_layouts_differ_in_the_images_alone() -> None:
    live, recorded = ((ROOT / f"config/foxglove/{name}.json").read_text() for name in ("live", "recorded"))
    assert recorded.replace("image_raw/compressed", "image_raw") == live


def test_rviz_shows_topics_of_the_types_that_its_displays_take() -> None:
    displays = yaml.safe_load((ROOT / "config/rviz/arm.rviz").read_text())["Visualization Manager"]["Displays"]
    shown = {}
    for display in displays:
        topic = (display.get("Topic") or display.get("Description Topic") or {}).get("Value")
        if topic:
            assert PUBLISHED[topic] == DISPLAYS[display["Class"]]
            shown[topic] = display
    assert {"/camera/image_raw", "/robot_description", "/vla/ee_pose"} <= set(shown)
    robot = yaml.safe_load((ROOT / "config/robots/fr3.yaml").read_text())
    manager = yaml.safe_load((ROOT / "config/rviz/arm.rviz").read_text())["Visualization Manager"]
    assert manager["Global Options"]["Fixed Frame"] == robot["base_frame"]


def test_both_are_installed() -> None:
    text = (ROOT / "src/vla_bringup/setup.py").read_text()
    assert "config/foxglove/*.json" in text
    assert "config/rviz/*.rviz" in text
