# SPDX-License-Identifier: Apache-2.0
"""The joints of a URDF, their limits and transforms.

Read by hand: the kinematics of a URDF are six tags, and no URDF library comes with ROS 2 from wheels. The controller's
kinematics are MuJoCo's own import of the same text; tests hold the two equal.
"""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from xml.etree.ElementTree import Element

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from vla_core.rotation import Pose, from_rotation_vector, multiply

Array = npt.NDArray[np.float64]
FIXED = "fixed"
TURNING = ("revolute", "continuous")
SLIDING = "prismatic"
TYPES = (FIXED, *TURNING, SLIDING)


class UrdfError(ValueError):
    """A robot description that is not usable; the text says what was found and what is valid."""


@dataclass(frozen=True, slots=True)
class Mimic:
    """A joint that follows another: multiplier * position + offset."""

    joint: str
    multiplier: float
    offset: float  # [rad] or [m]


@dataclass(frozen=True, slots=True)
class Limit:
    """Range and greatest speed of a joint; a continuous one has an infinite range."""

    lower: float  # [rad] or [m]
    upper: float  # [rad] or [m]
    velocity: float  # [rad/s] or [m/s]; infinite where the URDF states none


@dataclass(frozen=True, slots=True)
class Joint:
    """One joint between two links."""

    name: str
    kind: str  # one of TYPES
    parent: str
    child: str
    origin: Pose  # of the child in the parent at position zero
    axis: Array  # (3,) unit, in the child's frame
    mimic: Mimic | None = None
    limit: Limit | None = None  # None: not stated

    def transform(self, position: float) -> Pose:
        """Return the pose of the child in the parent at `position` [rad] or [m]."""
        if self.kind in TURNING:
            turn = from_rotation_vector(position * self.axis)
            return Pose(self.origin.position, multiply(self.origin.quaternion, turn))
        if self.kind == SLIDING:
            way = Rotation.from_quat(self.origin.quaternion).apply(position * self.axis)
            return Pose(self.origin.position + way, self.origin.quaternion)
        return self.origin


@dataclass(frozen=True, slots=True)
class Tree:
    """The joints of a robot, and its root link."""

    root: str
    joints: tuple[Joint, ...]

    @property
    def links(self) -> tuple[str, ...]:
        """Names of all links, the root first."""
        return (self.root, *(joint.child for joint in self.joints))

    def chain(self, base: str, tip: str) -> tuple[Joint, ...]:
        """Return the joints from link `base` to link `tip`, in this order.

        Raises:
            UrdfError: one of the links does not exist, or `tip` does not hang on `base`.
        """
        for link in (base, tip):
            if link not in self.links:
                near = ", ".join(get_close_matches(link, self.links, n=3, cutoff=0.4) or self.links[:5])
                raise UrdfError(f"the description has no link {link!r}; near names: {near}")
        above, chain, link = {joint.child: joint for joint in self.joints}, [], tip
        while link != base:
            if link not in above:
                raise UrdfError(f"link {tip!r} does not hang on {base!r}, but on {self.root!r}")
            chain.append(above[link])
            link = above[link].parent
        return tuple(reversed(chain))

    @property
    def fixed(self) -> tuple[Joint, ...]:
        """Joints that never move."""
        return tuple(joint for joint in self.joints if joint.kind == FIXED)

    def moved(self, positions: Mapping[str, float]) -> tuple[tuple[Joint, Pose], ...]:
        """Return the movable joints whose position is in `positions`, or follows from it, with their transforms."""
        found = ((joint, _position(joint, positions)) for joint in self.joints if joint.kind != FIXED)
        return tuple((joint, joint.transform(position)) for joint, position in found if math.isfinite(position))


def _position(joint: Joint, positions: Mapping[str, float]) -> float:
    """Position of a joint [rad] or [m]; NaN when it is unknown."""
    if joint.mimic:
        return joint.mimic.multiplier * positions.get(joint.mimic.joint, math.nan) + joint.mimic.offset
    return positions.get(joint.name, math.nan)


def parse_urdf(text: str) -> Tree:
    """Return the kinematic tree of a URDF.

    Raises:
        UrdfError: the text is not XML, or its joints form no tree of declared links.
    """
    robot = urdf_element(text)
    if robot.tag != "robot":
        raise UrdfError(f"robot_description has the root element <{robot.tag}>; valid: <robot>")
    joints = tuple(_joint(element) for element in robot.findall("joint"))
    links = [element.get("name", "") for element in robot.findall("link")]
    return Tree(_root(links, joints), joints)


def urdf_element(text: str) -> Element:
    """Return the root element of a URDF; prefixes that it does not declare, which ROS's parsers take, are declared.

    Raises:
        UrdfError: the text is not XML.
    """
    used = set(re.findall(r"[<\s]([A-Za-z_][\w.-]*):[\w.-]+[\s=>/]", text)) - {"xmlns", "xml"}
    missing = [prefix for prefix in sorted(used) if f"xmlns:{prefix}" not in text]
    names = "".join(f' xmlns:{prefix}="urn:{prefix}"' for prefix in missing)
    try:
        return ElementTree.fromstring(re.sub(r"<robot\b", f"<robot{names}", text, count=1) if names else text)
    except (ElementTree.ParseError, ValueError) as error:  # ValueError: characters that no UTF-8 file has
        raise UrdfError(f"robot_description is not XML: {error}") from error


def _joint(element: Element) -> Joint:
    name, kind = element.get("name", ""), element.get("type", "")
    if kind not in TYPES:
        raise UrdfError(f"joint {name!r} has type {kind!r}; valid: {', '.join(TYPES)}")
    axis = _vector(name, element.find("axis") if kind != FIXED else None, "xyz", "1 0 0")
    if not np.linalg.norm(axis) > 0.0:
        raise UrdfError(f"joint {name!r} has a zero axis; valid: a direction")
    origin = element.find("origin")
    return Joint(
        name,
        kind,
        _named(name, element, "parent", "link"),
        _named(name, element, "child", "link"),
        Pose(
            _vector(name, origin, "xyz", "0 0 0"),
            Rotation.from_euler("xyz", _vector(name, origin, "rpy", "0 0 0")).as_quat(),
        ),
        axis / np.linalg.norm(axis),
        _mimic(name, element.find("mimic")),
        _limit(name, kind, element.find("limit")),
    )


def _limit(name: str, kind: str, element: Element | None) -> Limit | None:
    if element is None or kind == FIXED:
        return None
    velocity = _vector(name, element, "velocity", "0")[0] or math.inf
    if kind == "continuous":
        return Limit(-math.inf, math.inf, velocity)
    lower, upper = _vector(name, element, "lower", "0")[0], _vector(name, element, "upper", "0")[0]
    if lower >= upper or velocity < 0.0:
        text = f"lower {lower:g}, upper {upper:g}, velocity {velocity:g}"
        raise UrdfError(f"joint {name!r} has the limit {text}; valid: lower < upper, velocity > 0")
    return Limit(float(lower), float(upper), float(velocity))


def _mimic(name: str, element: Element | None) -> Mimic | None:
    if element is None:
        return None
    multiplier, offset = _vector(name, element, "multiplier", "1"), _vector(name, element, "offset", "0")
    return Mimic(element.get("joint", ""), float(multiplier[0]), float(offset[0]))


def _named(joint: str, element: Element, tag: str, key: str) -> str:
    child = element.find(tag)
    name = child.get(key, "") if child is not None else ""
    if not name:
        raise UrdfError(f"joint {joint!r} has no <{tag} {key}=…>")
    return name


def _vector(joint: str, element: Element | None, key: str, default: str) -> Array:
    """Numbers of an attribute, as many as its default has."""
    text = element.get(key, default) if element is not None else default
    try:
        vector = np.array([float(word) for word in text.split()])
    except ValueError:
        vector = np.array([math.nan])
    if len(vector) != len(default.split()) or not np.isfinite(vector).all():
        raise UrdfError(f"joint {joint!r}: {key} is {text!r}; valid: {len(default.split())} finite numbers")
    return vector


def _root(links: list[str], joints: tuple[Joint, ...]) -> str:
    children = [joint.child for joint in joints]
    for joint in joints:
        for link in (joint.parent, joint.child):
            if link not in links:
                raise UrdfError(f"joint {joint.name!r} names the link {link!r}, which is not declared")
        if children.count(joint.child) > 1:
            raise UrdfError(f"link {joint.child!r} is the child of several joints")
        if joint.mimic and joint.mimic.joint not in {other.name for other in joints}:
            raise UrdfError(f"joint {joint.name!r} mimics {joint.mimic.joint!r}, which is no joint")
    roots = [link for link in links if link not in children]
    if len(roots) != 1:
        raise UrdfError(f"{len(roots)} links have no parent ({', '.join(roots[:5])}); valid: one, the root")
    return roots[0]
