# SPDX-License-Identifier: Apache-2.0
"""Hook of mkdocs: writes the pages about nodes and interfaces from the source, when the site is built."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import Field
from pathlib import Path
from typing import Any

from docs_interfaces import ROOT, Interface, NodeSource, find_nodes
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from vla_core.settings import valid_values

INTERFACE_FOLDERS = {"msg": "Messages", "srv": "Services", "action": "Actions"}
COPIED = ("CONTRIBUTING.md", "CHANGELOG.md")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages to the site."""
    pages = {f"nodes/{node.name}.md": node_page(node) for node in find_nodes()}
    pages["interfaces.md"] = interface_page(ROOT / "src" / "vla_msgs")
    pages |= {name.lower(): (ROOT / name).read_text(encoding="utf-8") for name in COPIED}
    for path, text in pages.items():
        files.append(File.generated(config, path, content=text))
    return files


def node_page(node: NodeSource) -> str:
    """Return the page of a node: what it is, its interfaces, its parameters."""
    lines = [f"# {node.name}", "", f"Package `{node.package}`: {node.summary}", ""]
    lines += [
        "## Topics, services, actions",
        "",
        "Names are the defaults, in the node's namespace; a parameter in the last column changes one.",
        "",
    ]
    rows = [
        (item.kind, item.role, name_cell(item), type_cell(item), f"`{item.parameter}`" if item.parameter else "")
        for item in node.interfaces()
    ]
    lines += table(("kind", "the node", "name", "type", "parameter"), rows)
    lines += [
        "",
        "## Parameters",
        "",
        "Set in `config/" + f"{node.name}.yaml`, read at start except where marked live.",
        "",
    ]
    lines += table(("name", "default", "valid", "meaning"), [parameter_row(item) for item in node.settings()])
    return "\n".join(lines) + "\n"


def name_cell(item: Interface) -> str:
    """Return the name of an interface; what is in parentheses is named in the source, given by the robot file."""
    if item.name.startswith("("):
        whole = item.name.endswith(")")
        return f"of the robot or output: `{item.name[1:-1] if whole else item.name}`"
    return f"`{item.name}`"


def type_cell(item: Interface) -> str:
    """Return the type of an interface, linked where it is one of this repository."""
    package, _, rest = item.type.partition("/")
    if not rest:
        return f"see `{item.type}`"
    name = rest.rsplit("/", 1)[-1]
    return f"[{package}/{name}](../interfaces.md#{name.lower()})" if package == "vla_msgs" else f"{package}/{name}"


def parameter_row(item: Field[Any]) -> tuple[str, str, str, str]:
    """Return name, default, valid values and meaning of a parameter."""
    default = item.default
    if isinstance(default, tuple):
        default = list(default)
    shown = (
        f"{default:g}"
        if isinstance(default, float)
        else str(default).lower()
        if isinstance(default, bool)
        else str(default)
    )
    meaning = item.metadata["description"] + (" (live)" if item.metadata["live"] else "")
    return f"`{item.name}`", f"`{shown}`" if shown else "empty", valid_values(item), meaning


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Return the lines of a Markdown table."""
    lines = [head, tuple("---" for _ in head), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]


def interface_page(package: Path) -> str:
    """Return the page of the messages, services and actions: each file as it is written, comments and all."""
    lines = [
        "# Messages, services, actions",
        "",
        f"Package `{package.name}`. A comment says unit, frame and order of a field.",
        "",
    ]
    for folder, title in INTERFACE_FOLDERS.items():
        lines += [f"## {title}", ""]
        for path in sorted((package / folder).iterdir()):
            text = re.sub(r"\A# SPDX.*\n", "", path.read_text(encoding="utf-8")).rstrip()
            lines += [f"### {path.stem}", "", "```text", text, "```", ""]
    return "\n".join(lines)
