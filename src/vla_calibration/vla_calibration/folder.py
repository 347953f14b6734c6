# SPDX-License-Identifier: Apache-2.0
"""Samples as files: pictures, the joints at each, the camera's intrinsics and the board.

camera.yaml   of camera_calibration          joints.yaml   picture's name -> joint -> [rad]
board.yaml    columns, rows, square, marker  *.png, *.jpg
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
import numpy.typing as npt
import yaml
from PIL import Image
from scipy.spatial.transform import Rotation
from vla_controller.arm.kinematics import Kinematics
from vla_core.robot import RobotConfig

from vla_calibration.board import Board
from vla_calibration.errors import CalibrationError
from vla_calibration.intrinsics import Intrinsics, intrinsics_yaml, read_intrinsics
from vla_calibration.solve import Sample

Array = npt.NDArray[np.float64]
CAMERA, JOINTS, BOARD = "camera.yaml", "joints.yaml", "board.yaml"


def tool_pose(kinematics: Kinematics, q: Array) -> Array:
    """Pose (4, 4) of the tool in the base frame at joints `q` (n,) [rad]."""
    found, pose = kinematics.fk(q), np.eye(4)
    pose[:3, :3], pose[:3, 3] = Rotation.from_quat(found.quaternion).as_matrix(), found.position
    return pose


def read_folder(folder: Path, config: RobotConfig) -> tuple[list[Sample], list[str], Board, Intrinsics]:
    """Return the usable samples of a folder, why others are not, the board and the intrinsics.

    Raises:
        CalibrationError: a file is missing or invalid.
    """
    camera, board, joints = read_intrinsics(folder / CAMERA), read_board(folder / BOARD), _joints(folder / JOINTS)
    kinematics = Kinematics(config)
    samples, refused = [], []
    for name in sorted(joints):
        try:
            detection = board.detect(_picture(folder / name), camera)
            samples.append(Sample(name, tool_pose(kinematics, _arm(joints[name], config)), detection))
        except CalibrationError as error:
            refused.append(f"{name}: {error}")
    return samples, refused, board, camera


def read_board(path: Path) -> Board:
    """Return the board of a file; the default one where there is no file."""
    if not path.is_file():
        return Board()
    try:
        return Board(**yaml.safe_load(path.read_text(encoding="utf-8")))
    except (TypeError, yaml.YAMLError) as error:
        raise CalibrationError(f"{path}: {error}; valid: columns, rows, square [m], marker [m]") from error


def _joints(path: Path) -> Mapping[str, Mapping[str, float]]:
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise CalibrationError(f"cannot read the joints from {path}: {error}") from error
    if not isinstance(data, dict) or not all(isinstance(row, dict) for row in data.values()):
        raise CalibrationError(f"{path} is not valid; it maps each picture's name to its joints: a.png: {{joint: rad}}")
    return data


def _picture(path: Path) -> npt.NDArray[np.uint8]:
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except OSError as error:
        raise CalibrationError(f"cannot be read: {error}") from error


def _arm(row: Mapping[str, float], config: RobotConfig) -> Array:
    missing = [name for name in config.joints if name not in row]
    if missing:
        raise CalibrationError(f"has no joints {missing} of {config.robot}")
    return np.array([float(row[name]) for name in config.joints])


class Writer:
    """Writes samples into a folder as they come."""

    def __init__(self, folder: Path, board: Board) -> None:
        """Make the folder; raises CalibrationError where there are samples in it already."""
        if (folder / JOINTS).exists():
            raise CalibrationError(
                f"{folder} holds samples already: choose another --out, or `vla calibrate solve` them"
            )
        folder.mkdir(parents=True, exist_ok=True)
        (folder / BOARD).write_text(yaml.safe_dump(asdict(board), sort_keys=False), encoding="utf-8")
        self._folder, self._joints = folder, dict[str, dict[str, float]]()

    @property
    def count(self) -> int:
        """Samples so far."""
        return len(self._joints)

    def add(self, rgb: npt.NDArray[np.uint8], joints: Mapping[str, float], camera: Intrinsics) -> None:
        """Write one picture with its joints."""
        name = f"view_{self.count:02d}.png"
        Image.fromarray(rgb).save(self._folder / name)
        self._joints[name] = {joint: float(value) for joint, value in joints.items()}
        (self._folder / CAMERA).write_text(intrinsics_yaml(camera), encoding="utf-8")
        (self._folder / JOINTS).write_text(yaml.safe_dump(self._joints, sort_keys=False), encoding="utf-8")
