# SPDX-License-Identifier: Apache-2.0
"""When a picture is worth keeping: the arm stands, the board is seen, and the pose is unlike those before."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation
from vla_controller.arm.kinematics import Kinematics
from vla_core.robot import RobotConfig

from vla_calibration.board import Board
from vla_calibration.errors import CalibrationError
from vla_calibration.folder import Writer, tool_pose
from vla_calibration.intrinsics import Intrinsics

Array = npt.NDArray[np.float64]

STILL_FOR = 0.7  # [s] that the arm has to stand before a picture
STILL = 0.002  # [rad] of every joint within which it stands
NEW_TURN, NEW_WAY = np.deg2rad(8.0), 0.03  # [rad], [m] from every earlier pose, one of which is enough


class Collector:
    """Takes joint states and pictures as they come, and writes the useful ones. No ROS."""

    def __init__(self, config: RobotConfig, board: Board, writer: Writer) -> None:
        """`writer` gets the samples."""
        self._config, self._board, self._writer = config, board, writer
        self._kinematics = Kinematics(config)
        self._poses: list[Array] = []
        self._q = np.zeros(0)
        self._since = float("inf")

    @property
    def count(self) -> int:
        """Samples so far."""
        return self._writer.count

    def joints(self, stamp: float, positions: Mapping[str, float]) -> None:
        """Take a joint state of `stamp` [s]; one without the arm's joints is passed over."""
        if not all(name in positions for name in self._config.joints):
            return
        q = np.array([positions[name] for name in self._config.joints])
        if self._q.size == 0 or np.max(np.abs(q - self._q)) > STILL or stamp < self._since:
            self._q, self._since = q, stamp

    def picture(self, stamp: float, rgb: npt.NDArray[np.uint8], camera: Intrinsics) -> str:
        """Keep a picture of `stamp` [s] if it is worth it; returns what a person should do or know."""
        if self._q.size == 0:
            return "waiting for joint states"
        if stamp - self._since < STILL_FOR:
            return "the arm moves: let it stand"
        pose = tool_pose(self._kinematics, self._q)
        if not all(_unlike(pose, other) for other in self._poses):
            return "move on: tilt the hand, and go nearer and farther"
        try:
            self._board.detect(rgb, camera)
        except CalibrationError as error:
            return str(error)
        self._poses.append(pose)
        self._writer.add(rgb, dict(zip(self._config.joints, self._q.tolist(), strict=True)), camera)
        return f"picture {self.count} taken"


def _unlike(pose: Array, other: Array) -> bool:
    turn = Rotation.from_matrix(other[:3, :3].T @ pose[:3, :3]).magnitude()
    return bool(turn > NEW_TURN or np.linalg.norm(pose[:3, 3] - other[:3, 3]) > NEW_WAY)
