# SPDX-License-Identifier: Apache-2.0
"""Where an arm's kinematic description is: a MuJoCo model or a URDF, as a file or on a topic."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
URDF, XACRO, MJCF = ".urdf", ".xacro", ".xml"
KEYS = ("package", "file", "topic", "tcp_body", "tcp_frame", "tcp_position", "tcp_quaternion_xyzw", "tcp_at_home")
XACRO_TIMEOUT = 30.0  # [s]


class DescriptionError(ValueError):
    """The description of an arm is missing or unreadable; the text says what was looked for."""


@dataclass(frozen=True, slots=True)
class ModelSource:
    """Where the arm's kinematic description is, and where the tool centre point (tcp) sits on it.

    The file's ending says what it is: `.xml` a MuJoCo model, `.urdf` and `.xacro` a URDF.
    """

    package: str  # Python package that the file is in; empty: the file's path is absolute
    file: str
    tcp_body: str  # body of a MuJoCo model, link of a URDF
    tcp_position: Array = field(default_factory=lambda: np.zeros(3))  # (3,) [m] in tcp_body
    tcp_quaternion_xyzw: Array = field(default_factory=lambda: np.array([0.0, 0.0, 0.0, 1.0]))  # (4,) in tcp_body
    topic: str = ""  # std_msgs/String with a URDF, instead of a file
    text: str = ""  # the URDF itself, once it was received
    tcp_at_home: Array | None = None  # (3,) [m] in base_frame: tells this arm's description from another's

    @property
    def is_urdf(self) -> bool:
        """Whether the description is a URDF; otherwise it is a MuJoCo model."""
        return bool(self.topic or self.text) or self.file.endswith((URDF, XACRO))

    @property
    def folder(self) -> Path | None:
        """Folder of the file, from which its meshes are found; None for a topic."""
        return None if self.topic else self.path().parent

    @property
    def name(self) -> str:
        """What messages call the description."""
        return f"topic {self.topic}" if self.topic else self.file

    def path(self) -> Path:
        """Return the path of the file; raises DescriptionError when it is missing."""
        folder = package_folder(self.package) if self.package else Path()
        path = folder / self.file
        if not path.is_file():
            raise DescriptionError(f"no model at {path}")
        return path

    def urdf(self) -> str:
        """Return the text of the URDF.

        Raises:
            DescriptionError: the file is missing or unreadable, xacro fails, or nothing came on the topic yet.
        """
        if self.text:
            return self.text
        if self.topic:
            raise DescriptionError(f"no URDF came on the topic {self.topic} yet; is the robot's driver running?")
        return read_urdf(self.path())


def package_folder(package: str) -> Path:
    """Return the folder of a Python package, which is not imported; raises DescriptionError when it is missing."""
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise DescriptionError(f"no Python package {package!r} for the model; install it with pip --no-deps")
    return Path(found.submodule_search_locations[0])


def read_urdf(path: Path) -> str:
    """Return the URDF in a file, expanded by the program xacro where the name ends in `.xacro`.

    Raises:
        DescriptionError: the file is unreadable, or xacro is missing or fails.
    """
    try:
        if path.suffix != XACRO:
            return path.read_text(encoding="utf-8")
        program = shutil.which("xacro")
        if program is None:
            raise DescriptionError(
                f"{path} needs the program xacro, which is not installed (apt: ros-jazzy-xacro, pip: xacro); or expand "
                "it elsewhere and give the .urdf"
            )
        done = subprocess.run([program, str(path)], capture_output=True, text=True, timeout=XACRO_TIMEOUT, check=False)
    except (OSError, UnicodeDecodeError, subprocess.TimeoutExpired) as error:
        raise DescriptionError(f"cannot read {path}: {error}") from error
    if done.returncode != 0:
        words = done.stderr.strip().splitlines() or ["no reason given"]
        raise DescriptionError(f"xacro {path} failed: {words[-1]}")
    return done.stdout


def mesh_path(name: str, folder: Path) -> Path | None:
    """Return the file that a URDF in `folder` names as mesh, or None where it is not on this machine.

    `package://P/…` is looked for in a folder P above or beside the URDF, then in the Python package P.
    """
    plain = name.removeprefix("file://")
    found = re.fullmatch(r"package://([^/]+)/(.+)", plain)
    if found is None:
        candidates = [folder / plain]
    else:
        package, rest = found.groups()
        above = (folder.resolve(), *folder.resolve().parents)
        candidates = [place / rest for place in above if place.name == package]
        candidates += [place / package / rest for place in above]
        with suppress(DescriptionError):
            candidates.append(package_folder(package) / rest)
    return next((path for path in candidates if path.is_file()), None)


def parse_model(data: Mapping[str, Any], folder: Path) -> ModelSource:
    """Return the entry `model` of a robot file in `folder`, to which a file without a package is relative.

    Raises:
        ValueError, KeyError: an entry is missing, unknown or of the wrong form.
    """
    unknown = set(data) - set(KEYS)
    if unknown:
        raise ValueError(f"model has unknown entries {sorted(unknown)}; valid: {', '.join(KEYS)}")
    frames = [str(data[key]) for key in ("tcp_frame", "tcp_body") if key in data]
    if len(frames) != 1:
        raise ValueError("model needs one of tcp_frame and tcp_body: the link or body that carries the tool")
    package, file, topic = (str(data.get(key, "")) for key in ("package", "file", "topic"))
    if bool(file) == bool(topic):
        raise ValueError("model needs one of file (.xml, .urdf, .xacro) and topic (std_msgs/String with a URDF)")
    if file and not file.endswith((MJCF, URDF, XACRO)):
        raise ValueError(f"model.file is {file!r}; valid endings: {MJCF}, {URDF}, {XACRO}")
    return ModelSource(
        package,
        file if package or not file else str(folder / file),
        frames[0],
        _numbers(data, "tcp_position", (0.0, 0.0, 0.0)),
        _numbers(data, "tcp_quaternion_xyzw", (0.0, 0.0, 0.0, 1.0)),
        topic,
        tcp_at_home=_numbers(data, "tcp_at_home", (0.0, 0.0, 0.0)) if "tcp_at_home" in data else None,
    )


def _numbers(data: Mapping[str, Any], key: str, default: tuple[float, ...]) -> Array:
    vector = np.asarray(data.get(key, default), dtype=np.float64)
    if vector.shape != (len(default),) or not np.all(np.isfinite(vector)):
        raise ValueError(f"model.{key} must hold {len(default)} finite numbers, got {data[key]!r}")
    if len(default) == 4 and abs(float(vector @ vector) - 1.0) > 1e-3:
        raise ValueError(f"model.{key} must be a unit quaternion, got {data[key]!r}")
    vector.setflags(write=False)
    return vector
