# SPDX-License-Identifier: Apache-2.0
"""The simulator's FR3 and cameras, and pictures of a board: drawn, warped to where the board is, noisy."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.spatial.transform import Rotation
from vla_calibration.board import Board
from vla_calibration.folder import tool_pose
from vla_calibration.intrinsics import Intrinsics
from vla_calibration.solve import Mount
from vla_controller.arm.kinematics import Kinematics
from vla_core.robot import load_robot_config
from vla_core.rotation import Pose
from vla_sim.world.world import World

HEIGHT, WIDTH = 480, 640
BOARD = Board()
OPTICAL = np.diag((1.0, -1.0, -1.0, 1.0))  # MuJoCo looks along -z with y up


def pose(position, rotation: np.ndarray) -> np.ndarray:
    made = np.eye(4)
    made[:3, :3], made[:3, 3] = rotation, position
    return made


@dataclass
class Bench:
    """The simulated arm and one of its cameras: truth, and pictures as the camera would take them."""

    mount: Mount
    seed: int = 0

    def __post_init__(self) -> None:
        self.world, self.config = World("fr3"), load_robot_config("fr3")
        self.kinematics, self.rng = Kinematics(self.config), np.random.default_rng(self.seed)
        name = "front" if self.mount is Mount.FIXED else "wrist"
        fovy = np.radians(float(self.world.model.camera(name).fovy[0]))
        focal = 0.5 * HEIGHT / np.tan(fovy / 2)
        matrix = np.array([[focal, 0, (WIDTH - 1) / 2], [0, focal, (HEIGHT - 1) / 2], [0, 0, 1.0]])
        self.camera = Intrinsics(WIDTH, HEIGHT, matrix, np.zeros(5))
        seen = self.world.data.camera(name)
        in_base = pose(seen.xpos, seen.xmat.reshape(3, 3)) @ OPTICAL
        tool = tool_pose(self.kinematics, self.config.home)
        self.truth = in_base if self.mount is Mount.FIXED else np.linalg.inv(tool) @ in_base
        self.board = self._board()

    def _board(self) -> np.ndarray:
        """Where the board is: in the hand, its face to the fixed camera; or on the table, face up."""
        if self.mount is Mount.FIXED:
            face = np.array([[0.0, 0.0, -1.0], [-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])  # z away from the camera, y down
            return pose((0.03, 0.12, -0.04), Rotation.from_euler("xyz", (0.05, -0.04, 0.1)).as_matrix() @ face)
        return pose((0.66, 0.12, 0.0), np.array([[0.0, -1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, -1.0]]))

    def look(self, q: np.ndarray) -> np.ndarray:
        """Pose (4, 4) of the board in the camera at joints `q`."""
        tool = tool_pose(self.kinematics, q)
        frame = tool if self.mount is Mount.FIXED else np.linalg.inv(tool)
        return np.linalg.inv(self.truth) @ frame @ self.board

    def picture(self, q: np.ndarray, noise: float = 3.0) -> np.ndarray:
        """RGB (h, w, 3): the printed board on grey, by the plane's homography, blurred and with sensor noise."""
        scale, seen = 60.0 / BOARD.square, self.look(q)
        to_pixels = self.camera.matrix @ np.column_stack((seen[:3, 0], seen[:3, 1], seen[:3, 3]))
        margin = 30
        sheet = cv2.copyMakeBorder(BOARD.image(60), margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=255)
        edge = -(margin - 0.5) / scale
        from_sheet = np.array([[1 / scale, 0, edge], [0, 1 / scale, edge], [0, 0, 1.0]])
        # Drawn three times as large.
        big = np.diag((3.0, 3.0, 1.0)) @ np.array([[1, 0, 1 / 3], [0, 1, 1 / 3], [0, 0, 1.0]])
        view = cv2.warpPerspective(sheet, big @ to_pixels @ from_sheet, (3 * WIDTH, 3 * HEIGHT), borderValue=120)
        grey = cv2.GaussianBlur(cv2.resize(view, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA), (3, 3), 0.6)
        noisy = np.clip(grey + self.rng.normal(0.0, noise, grey.shape), 0, 255).astype(np.uint8)
        return np.repeat(noisy[:, :, None], 3, axis=2)

    def postures(self, count: int, tilt: float = 0.35) -> list[np.ndarray]:
        """Joints of `count` poses around home in which the whole board is in the picture."""
        home, found = self.kinematics.fk(self.config.home), []
        while len(found) < count:
            turn = Rotation.from_rotvec(self.rng.uniform(-tilt, tilt, 3)) * Rotation.from_quat(home.quaternion)
            target = Pose(home.position + self.rng.uniform(-0.08, 0.08, 3), turn.as_quat())
            q, off, _ = self.kinematics.ik(self.config.home, target, 20)
            if off < 0.01 and self.visible(q):
                found.append(q)
        return found

    def visible(self, q: np.ndarray) -> bool:
        """Whether the whole board is in the picture."""
        seen = self.look(q)
        corners = np.array([(x, y, 0.0, 1.0) for x in (0.0, BOARD.size[0]) for y in (0.0, BOARD.size[1])])
        points = (seen @ corners.T)[:3]
        pixels = (self.camera.matrix @ points)[:2] / points[2]
        inside = (pixels > 5.0).all() and (pixels[0] < WIDTH - 5).all() and (pixels[1] < HEIGHT - 5).all()
        return bool((points[2] > 0.1).all() and inside)
