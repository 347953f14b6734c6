# SPDX-License-Identifier: Apache-2.0
"""The ChArUco board: printed to scale, and found in pictures."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from vla_calibration.errors import CalibrationError
from vla_calibration.intrinsics import Intrinsics

Array = npt.NDArray[np.float64]

DPI = 300
PAGE_MARGIN = 0.005  # [m] that printers leave white
PAGES = {"A4": (0.297, 0.210), "A3": (0.420, 0.297), "Letter": (0.2794, 0.2159)}  # [m]
SEEN = 0.5  # share of the corners that has to be in the picture
MOST_PIXELS = 3.0  # [pixels] rms of one picture's corners, beyond which it is no view of this board


@dataclass(frozen=True, slots=True)
class Detection:
    """The board in one picture."""

    ids: npt.NDArray[np.int64]  # (k,) of the corners
    pixels: Array  # (k, 2)
    pose: Array  # (4, 4) of the board in the camera's optical frame


@dataclass(frozen=True)
class Board:
    """Columns and rows count squares. Its frame: in a corner of the board, x along the columns, z into the board."""

    columns: int = 7
    rows: int = 5
    square: float = 0.035  # [m]
    marker: float = 0.02625  # [m]

    def __post_init__(self) -> None:
        """Raise CalibrationError for a board that cannot be."""
        if not (3 <= self.columns <= 20 and 3 <= self.rows <= 20 and self.columns * self.rows <= 200):
            raise CalibrationError(f"a board of {self.columns} x {self.rows} squares is not valid; 3 to 20 each are")
        if not 0.2 * self.square < self.marker < 0.95 * self.square:
            raise CalibrationError(
                f"marker {self.marker} m does not fit into a square of {self.square} m; 0.75 of it does"
            )

    @cached_property
    def charuco(self) -> cv2.aruco.CharucoBoard:
        """The board as OpenCV has it."""
        dictionary = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_5X5_100)
        return cv2.aruco.CharucoBoard((self.columns, self.rows), self.square, self.marker, dictionary)

    @cached_property
    def detector(self) -> cv2.aruco.CharucoDetector:
        """OpenCV's detector of this board."""
        parameters = cv2.aruco.DetectorParameters()
        parameters.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_SUBPIX
        return cv2.aruco.CharucoDetector(self.charuco, cv2.aruco.CharucoParameters(), parameters)

    @cached_property
    def corners(self) -> Array:
        """Corners (n, 3) [m] in the board's frame, by id."""
        return np.asarray(self.charuco.getChessboardCorners(), dtype=np.float64)

    @property
    def size(self) -> tuple[float, float]:
        """Width and height [m]."""
        return self.columns * self.square, self.rows * self.square

    def image(self, pixels_per_square: int = 60) -> npt.NDArray[np.uint8]:
        """The board without a margin (rows * p, columns * p), grey."""
        size = (self.columns * pixels_per_square, self.rows * pixels_per_square)
        for finer in range(8):  # OpenCV refuses some sizes where a marker's edge falls between two pixels
            fine = (size[0] + finer * self.columns, size[1] + finer * self.rows)
            with suppress(cv2.error):
                drawn = self.charuco.generateImage(fine, marginSize=0)
                return np.asarray(cv2.resize(drawn, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        raise CalibrationError(f"OpenCV cannot draw a marker of {self.marker} m in a square of {self.square} m")

    def write(self, path: Path, page: str = "A4") -> None:
        """Write a page to print at 100 %: `.pdf` or `.png`; raises CalibrationError where the board does not fit."""
        if path.suffix not in (".pdf", ".png"):
            raise CalibrationError(f"{path} is not valid; .pdf or .png is")
        width, height = PAGES[page]
        if self.size[0] + 2 * PAGE_MARGIN > width or self.size[1] + 2 * PAGE_MARGIN > height:
            have = f"{1000 * self.size[0]:.0f} x {1000 * self.size[1]:.0f} mm"
            raise CalibrationError(f"the board is {have} and does not fit on {page}: fewer or smaller squares, or A3")
        dot = DPI / 0.0254  # a metre
        sheet = Image.new("L", (round(width * dot), round(height * dot)), 255)
        board = Image.fromarray(self.image(round(self.square * dot)))
        board = board.resize((round(self.size[0] * dot), round(self.size[1] * dot)), Image.Resampling.NEAREST)
        sheet.paste(board, ((sheet.width - board.width) // 2, (sheet.height - board.height) // 2))
        path.parent.mkdir(parents=True, exist_ok=True)
        sheet.save(path, resolution=float(DPI), dpi=(DPI, DPI))

    def detect(self, rgb: npt.NDArray[np.uint8], camera: Intrinsics) -> Detection:
        """Return the board in a picture (h, w, 3) or (h, w).

        Raises:
            CalibrationError: the picture has not the camera's size, or too little of the board is in it.
        """
        if rgb.shape[:2] != (camera.height, camera.width):
            have = f"{rgb.shape[1]} x {rgb.shape[0]}"
            raise CalibrationError(f"the picture is {have}, the intrinsics are for {camera.width} x {camera.height}")
        grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY) if rgb.ndim == 3 else rgb
        pixels, ids, _, markers = self.detector.detectBoard(grey)
        count = 0 if ids is None else len(ids)
        if count < max(6, SEEN * len(self.corners)):
            found = f"{count} of {len(self.corners)} corners, {0 if markers is None else len(markers)} markers"
            raise CalibrationError(f"{found}: hold the whole board in the picture, in focus, and check its size")
        flat, seen = np.asarray(pixels, dtype=np.float64).reshape(-1, 2), np.asarray(ids, dtype=np.int64).reshape(-1)
        return Detection(seen, flat, self._pose(seen, flat, camera))

    def _pose(self, ids: npt.NDArray[np.int64], pixels: Array, camera: Intrinsics) -> Array:
        corners = self.corners[ids]
        found, turn, move = cv2.solvePnP(corners, pixels, camera.matrix, camera.distortion, flags=cv2.SOLVEPNP_IPPE)
        if found:
            turn, move = cv2.solvePnPRefineLM(corners, pixels, camera.matrix, camera.distortion, turn, move)
            back = cv2.projectPoints(corners, turn, move, camera.matrix, camera.distortion)[0].reshape(-1, 2)
            error = float(np.sqrt(np.mean(np.sum((back - pixels) ** 2, axis=1))))
            if error <= MOST_PIXELS:
                pose = np.eye(4)
                pose[:3, :3], pose[:3, 3] = cv2.Rodrigues(turn)[0], move.ravel()
                return pose
        raise CalibrationError(
            "the corners are not those of a flat board of this size: check --columns, --rows, --square"
        )
