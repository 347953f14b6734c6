# SPDX-License-Identifier: Apache-2.0
"""The documentation site builds without a warning, says what the source says, and loads nothing from elsewhere."""

import ast
import os
import re
import runpy
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from vla_policy.policy import Observation, PolicyConfig

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "scripts"))
import docs_interfaces  # noqa: E402

NODES = {node.name: node for node in docs_interfaces.find_nodes()}
LOADING = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site. Strict: a broken link, a missing anchor or a page outside the navigation is an error."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


class Loads(HTMLParser):
    """Collects what a page loads."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag in LOADING and values.get("rel") != "canonical":
            self.found.append(values.get(LOADING[tag]) or "")


def test_pages_load_nothing_from_elsewhere(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 10
    for page in pages:
        parser = Loads()
        parser.feed(page.read_text(encoding="utf-8"))
        assert parser.found
        assert not [url for url in parser.found if re.match(r"(https?:)?//", url)], page


@pytest.mark.parametrize("name", NODES)
def test_page_of_a_node_has_its_parameters_and_interfaces(name: str, site: Path) -> None:
    page = (site / "nodes" / f"{name}.html").read_text(encoding="utf-8")
    node = NODES[name]
    assert node.settings()
    for item in node.settings():
        assert f"<code>{item.name}</code>" in page
    assert {"topic"} <= {item.kind for item in node.interfaces()}
    for item in node.interfaces():
        assert re.fullmatch(r"[\w/~.()]+", item.name), "an expression of the source: not a name"
        whole = item.name.startswith("(") and item.name.endswith(")")
        assert f"{item.name[1:-1] if whole else item.name}</code>" in page
        assert item.kind in ("topic", "service", "action")


@pytest.mark.parametrize("name", NODES)
def test_no_interface_of_a_node_is_overlooked(name: str) -> None:
    """Each call that makes one is found, and its type is a ROS name or chosen by a parameter."""
    found = NODES[name].interfaces()
    topics = [item.name for item in found]
    for module in NODES[name].modules:
        for call in ast.walk(module):
            if isinstance(call, ast.Call) and getattr(call.func, "attr", "") in docs_interfaces.MAKERS:
                for constant in call.args[1:2]:
                    if isinstance(constant, ast.Constant):
                        assert constant.value in topics
    untyped = [item for item in found if item.type.count("/") != 2]
    assert all(item.parameter for item in untyped), untyped


def test_every_interface_file_is_on_its_page_with_its_comments(site: Path) -> None:
    page = (site / "interfaces.html").read_text(encoding="utf-8")
    files = [path for folder in ("msg", "srv", "action") for path in (ROOT / "src" / "vla_msgs" / folder).iterdir()]
    assert files
    for path in files:
        assert f'id="{path.stem.lower()}"' in page


def test_the_example_of_a_policy_works(tmp_path: Path) -> None:
    block = re.search(r"```python\n(.*?)```", (ROOT / "docs" / "own-policy.md").read_text(encoding="utf-8"), re.DOTALL)
    assert block
    (tmp_path / "example.py").write_text(block.group(1))
    example: dict[str, Any] = runpy.run_path(str(tmp_path / "example.py"))
    policy = example["create"](PolicyConfig(period_s=0.2))
    policy.reset("up")
    pose = np.array([0.5, 0.0, 0.3]), np.array([0.0, 0.0, 0.0, 1.0])
    chunk = policy.infer(Observation(1.0, {"front": np.zeros((8, 8, 3), np.uint8)}, ("j",), np.zeros(1), *pose, 0.04))
    assert chunk.checked().period == 0.2
