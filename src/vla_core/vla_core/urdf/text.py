# SPDX-License-Identifier: Apache-2.0
"""A URDF rewritten: the part below a link for MuJoCo, and a gripper's URDF on an arm's."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from xml.etree.ElementTree import Element

from vla_core.urdf.model_source import mesh_path
from vla_core.urdf.tree import Tree, UrdfError, parse_urdf, urdf_element

COMPILER = {
    "fusestatic": "false",  # links on fixed joints keep their names
    "strippath": "false",
    "discardvisual": "true",
    "boundmass": "0.001",  # links without mass are usual, and MuJoCo takes none
    "boundinertia": "0.000001",
}
JOINT_TAGS = ("parent", "child", "origin", "axis", "limit")
MESHES_OF_MUJOCO = (".stl", ".obj", ".msh")


def reduced_urdf(text: str, base: str, keep: tuple[str, ...] = (), folder: Path | None = None) -> str:
    """Return the URDF of what hangs on link `base`, which becomes the root, as MuJoCo takes it.

    Args:
        text: a URDF that `vla_core.urdf.tree.parse_urdf` accepts.
        base: link of that URDF.
        keep: tags of a link to keep: `inertial`, `collision`.
        folder: of the URDF, from which meshes are found; shapes with meshes that MuJoCo does not read are left out.
    """
    robot, below = urdf_element(text), links_below(parse_urdf(text), base)
    reduced = Element("robot", {"name": robot.get("name", "robot")})
    ElementTree.SubElement(ElementTree.SubElement(reduced, "mujoco"), "compiler", COMPILER)
    for link in robot.findall("link"):
        if link.get("name") in below:
            kept = ElementTree.SubElement(reduced, "link", {"name": link.get("name", "")})
            kept.extend(part for part in link if part.tag in keep and _readable(part, folder))
    for joint in robot.findall("joint"):
        parent = joint.find("parent")
        if parent is not None and parent.get("link") in below:
            kept = ElementTree.SubElement(reduced, "joint", dict(joint.attrib))
            kept.extend(part for part in joint if part.tag in JOINT_TAGS)
    return ElementTree.tostring(reduced, encoding="unicode")


def _readable(part: Element, folder: Path | None) -> bool:
    """Whether MuJoCo reads the part of a link; its mesh gets an absolute path."""
    part.attrib.pop("name", None)  # names need not be unique in a URDF
    mesh = part.find("geometry/mesh")
    if mesh is None:
        return True
    path = mesh_path(mesh.get("filename", ""), folder) if folder is not None else None
    if path is None or path.suffix.lower() not in MESHES_OF_MUJOCO:
        return False
    mesh.set("filename", str(path))
    return True


def links_below(tree: Tree, base: str) -> set[str]:
    """Return the links that hang on `base`, itself included."""
    below, more = set[str](), {base}
    while more:
        below |= more
        more = {joint.child for joint in tree.joints if joint.parent in below} - below
    return below


def attached_urdf(arm: str, tool: str, at: str, joint: str) -> str:
    """Return the URDF of an arm with that of a tool on its link `at`, by a fixed joint of the name `joint`.

    Raises:
        UrdfError: one of the two is invalid, the link does not exist, or links or joints have the same names.
    """
    trees, robots = (parse_urdf(arm), parse_urdf(tool)), (urdf_element(arm), urdf_element(tool))
    if at not in trees[0].links:
        raise UrdfError(f"the arm has no link {at!r} to attach a tool to; its last links: {trees[0].links[-4:]}")
    for what, names in (("links", [set(tree.links) for tree in trees]), ("joints", [_joints(tree) for tree in trees])):
        shared = sorted(names[0] & names[1])
        if shared:
            raise UrdfError(f"arm and tool both have the {what} {', '.join(shared)}: rename those of one")
    mount = ElementTree.SubElement(robots[0], "joint", {"name": joint, "type": "fixed"})
    ElementTree.SubElement(mount, "parent", {"link": at})
    ElementTree.SubElement(mount, "child", {"link": trees[1].root})
    both = Element("robot", {"name": robots[0].get("name", "robot")})
    both.extend(part for robot in robots for part in robot if part.tag in ("link", "joint", "material"))
    for element in both.iter():  # attributes of other programs, such as drake:acceleration
        for key in [key for key in element.attrib if "}" in key]:
            del element.attrib[key]
    ElementTree.indent(both)
    return ElementTree.tostring(both, encoding="unicode") + "\n"


def _joints(tree: Tree) -> set[str]:
    return {joint.name for joint in tree.joints}


def with_mesh_names(text: str, rename: Callable[[str], str]) -> str:
    """Return a URDF with the name of every mesh replaced by what `rename` makes of it."""
    robot = urdf_element(text)
    for mesh in robot.iter("mesh"):
        mesh.set("filename", rename(mesh.get("filename", "")))
    return ElementTree.tostring(robot, encoding="unicode")
