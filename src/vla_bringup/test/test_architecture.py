# SPDX-License-Identifier: Apache-2.0
"""Dependencies between the packages point one way, and each package.xml says what the code really imports."""

import ast
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = sorted(path.parent.name for path in ROOT.glob("src/*/setup.py"))
MAY_IMPORT = {
    "vla_core": {"vla_msgs"},
    "vla_description": {"vla_core"},
    "vla_operator": {"vla_core", "vla_msgs"},
    "vla_perception": {"vla_core", "vla_msgs"},
    "vla_policy": {"vla_core", "vla_msgs"},
    "vla_speech": {"vla_core", "vla_msgs", "vla_operator"},  # the halt words are the operator's
    "vla_recorder": {"vla_core", "vla_msgs"},
    "vla_planner": {"vla_core", "vla_msgs"},
    "vla_controller": {"vla_core", "vla_msgs"},
    "vla_sim": {
        "vla_core",
        "vla_msgs",
        "vla_policy.policy",
        "vla_policy.errors",
        "vla_policy.action.space",
    },  # the expert is a Policy
    "vla_training": {
        "vla_core",
        "vla_perception",
        "vla_planner",
        "vla_policy",
        "vla_recorder",
        "vla_controller",
        "vla_sim",
    },
    "vla_bringup": {"vla_core"},
    "vla_doctor": {"vla_core"},
    "vla_calibration": {"vla_core", "vla_controller.arm.kinematics", "vla_perception.ros.image_conversion"},
    "vla_hardware": {"vla_core"},
    "vla_faults": {"vla_core", "vla_msgs"},
    "vla_console": {"vla_core", "vla_msgs", "vla_operator.commands", "vla_operator.errors"},
    "vla_trust": {  # reads what every package reads
        *("vla_core", "vla_msgs", "vla_bringup", "vla_console", "vla_controller", "vla_operator", "vla_perception"),
        *("vla_planner", "vla_policy", "vla_recorder", "vla_training"),
    },
    "vla_demo": {"vla_core", "vla_msgs", "vla_bringup"},
}


def imports(package: str) -> set[str]:
    """Dotted names that the package's code imports, its own left out."""
    found: set[str] = set()
    for path in (ROOT / "src" / package / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                found.add(node.module)
    return {name for name in found if name.split(".")[0] != package}


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_point_one_way(package: str) -> None:
    ours = {name for name in imports(package) if name.startswith("vla_")}
    allowed = MAY_IMPORT[package]
    wrong = {name for name in ours if not any(name == rule or name.startswith(f"{rule}.") for rule in allowed)}
    assert not wrong, f"{package} imports {sorted(wrong)}; it may import {sorted(allowed) or 'none of the others'}"


@pytest.mark.parametrize("package", PACKAGES)
def test_package_xml_names_every_ros_package_imported(package: str) -> None:
    root = ElementTree.parse(ROOT / "src" / package / "package.xml").getroot()
    declared = {element.text for element in root.iter() if element.tag.endswith("depend")}
    roots = {name.split(".")[0] for name in imports(package)}
    ros = {
        name for name in roots if name.startswith(("vla_", "rclpy")) or name.endswith(("_msgs", "_srvs", "_interfaces"))
    }
    assert not ros - declared


def test_every_source_file_has_its_licence_line() -> None:
    files = [path for folder in ("src", "scripts", "launch") for path in (ROOT / folder).rglob("*") if path.is_file()]
    sources = [
        path for path in files if path.suffix in {".py", ".sh", ".msg", ".srv", ".action"} and path.stat().st_size
    ]
    assert sources
    bare = [
        str(path.relative_to(ROOT))
        for path in sources
        if "SPDX-License-Identifier: Apache-2.0" not in path.read_text(encoding="utf-8")[:200]
    ]
    assert not bare
