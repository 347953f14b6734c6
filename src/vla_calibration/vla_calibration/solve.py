# SPDX-License-Identifier: Apache-2.0
"""Hand-eye calibration: closed form, then the least reprojection error over all pictures.

OpenCV 5's wheel has no calibrateHandEye. The closed form is that of Shah (2013) for AX = ZB; the refinement moves
camera and board until the corners project to where they were seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import cv2
import numpy as np
import numpy.typing as npt
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from vla_calibration.board import Board, Detection
from vla_calibration.errors import CalibrationError
from vla_calibration.intrinsics import Intrinsics

Array = npt.NDArray[np.float64]

LEAST_SAMPLES = 8
LEAST_TURN = np.deg2rad(15.0)  # [rad] by which the hand has to turn about two axes
_OUTLIER = 1.0  # [pixels] beyond which an error counts less


class Mount(Enum):
    """Where the camera is: fixed beside the arm with the board on the hand, or on the hand with the board fixed."""

    FIXED = "fixed"  # eye to hand
    HAND = "hand"  # eye in hand


@dataclass(frozen=True, slots=True)
class Sample:
    """One picture of the board and where the tool was."""

    name: str
    tool: Array  # (4, 4) of the tool in the base frame
    detection: Detection


@dataclass(frozen=True, slots=True)
class Calibration:
    """Camera and board, and how well they explain the pictures."""

    mount: Mount
    camera: Array  # (4, 4) of the camera's optical frame in the base (fixed) or tool (hand) frame
    board: Array  # (4, 4) of the board in the tool (fixed) or base (hand) frame
    error_px: float  # [pixels] rms of the corners
    error_mm: float  # [mm] rms between corners by this calibration and by each picture alone
    sigma_mm: float  # [mm] one standard deviation of the camera's position, by the scatter of the corners
    sigma_deg: float  # [deg] likewise of its rotation
    worst: str  # name of the picture that fits least
    samples: int


def solve(samples: Sequence[Sample], board: Board, intrinsics: Intrinsics, mount: Mount) -> Calibration:
    """Return the calibration that explains the samples best.

    Raises:
        CalibrationError: there are too few samples, or the hand did not turn enough between them.
    """
    frames = [np.asarray(np.linalg.inv(sample.tool) if mount is Mount.HAND else sample.tool) for sample in samples]
    check_variety(frames)
    camera, target = closed_form(frames, [sample.detection.pose for sample in samples])
    start = np.concatenate((_vector(camera), _vector(target)))
    views = list(zip(frames, [sample.detection for sample in samples], strict=True))

    def errors(x: Array) -> Array:
        return np.concatenate([_reprojection(x, frame, seen, board, intrinsics).ravel() for frame, seen in views])

    found = least_squares(errors, start, loss="soft_l1", f_scale=_OUTLIER, x_scale="jac")
    camera, target = _matrix(found.x[:6]), _matrix(found.x[6:])
    residuals = errors(found.x)
    per_view = [float(np.sqrt(np.mean(_reprojection(found.x, *view, board, intrinsics) ** 2) * 2.0)) for view in views]
    scatter = float(residuals @ residuals) / max(1, len(residuals) - 12)
    sigma = np.sqrt(scatter * np.diag(np.linalg.pinv(found.jac.T @ found.jac))[:6])
    return Calibration(
        mount,
        camera,
        target,
        float(np.sqrt(np.mean(residuals**2) * 2.0)),
        1000.0 * _distance(camera, target, views, board),
        1000.0 * float(np.linalg.norm(sigma[3:])),
        float(np.rad2deg(np.linalg.norm(sigma[:3]))),
        samples[int(np.argmax(per_view))].name,
        len(samples),
    )


def check_variety(frames: Sequence[Array]) -> None:
    """Raise CalibrationError for too few poses, or for poses between which the hand turns about one axis at most."""
    if len(frames) < LEAST_SAMPLES:
        raise CalibrationError(f"{len(frames)} usable pictures; valid: at least {LEAST_SAMPLES}, better 15 to 20")
    turns = np.array([Rotation.from_matrix(frames[0][:3, :3].T @ frame[:3, :3]).as_rotvec() for frame in frames])
    spread = np.sqrt(np.linalg.eigvalsh(np.cov(turns.T)))[::-1] * 2.0  # extent about the main axes
    if spread[1] < LEAST_TURN:
        widest = np.round(np.rad2deg(spread[:2]), 1)
        raise CalibrationError(
            f"the poses are too alike: the hand turns by about {widest[0]} and {widest[1]} deg around two axes; valid: "
            f"at least {np.rad2deg(LEAST_TURN):.0f} deg around two. Tilt the hand forward and sideways"
        )


def closed_form(frames: Sequence[Array], seen: Sequence[Array]) -> tuple[Array, Array]:
    """Return camera C and board B (4, 4) with C @ seen = frame @ B, the rotations first."""
    rows = []
    for frame, pose in zip(frames, seen, strict=True):
        rows.append(np.hstack((np.kron(frame[:3, :3].T, pose[:3, :3].T), -np.eye(9))))
    null = np.linalg.svd(np.concatenate(rows))[2][-1]
    camera, board = np.eye(4), np.eye(4)
    sign = np.sign(np.linalg.det(null[:9].reshape(3, 3)))
    camera[:3, :3], board[:3, :3] = _nearest(sign * null[:9].reshape(3, 3)), _nearest(sign * null[9:].reshape(3, 3))
    left = np.concatenate([np.hstack((np.eye(3), -frame[:3, :3])) for frame in frames])
    right = np.concatenate(
        [frame[:3, 3] - camera[:3, :3] @ pose[:3, 3] for frame, pose in zip(frames, seen, strict=True)]
    )
    moves = np.linalg.lstsq(left, right, rcond=None)[0]
    camera[:3, 3], board[:3, 3] = moves[:3], moves[3:]
    return camera, board


def _nearest(matrix: Array) -> Array:
    """Rotation nearest to a matrix (3, 3)."""
    u, _, v = np.linalg.svd(matrix)
    return np.asarray(u @ np.diag((1.0, 1.0, np.linalg.det(u @ v))) @ v)


def _reprojection(x: Array, frame: Array, seen: Detection, board: Board, intrinsics: Intrinsics) -> Array:
    """Errors (k, 2) [pixels] of the corners of one picture."""
    pose = np.linalg.inv(_matrix(x[:6])) @ frame @ _matrix(x[6:])
    turn = cv2.Rodrigues(pose[:3, :3])[0]
    corners = board.corners[seen.ids]
    pixels = cv2.projectPoints(corners, turn, pose[:3, 3], intrinsics.matrix, intrinsics.distortion)[0]
    return np.asarray(pixels.reshape(-1, 2) - seen.pixels)


def _distance(camera: Array, target: Array, views: Sequence[tuple[Array, Detection]], board: Board) -> float:
    """Rms distance [m] of the corners by the calibration from those by each picture alone."""
    squares = []
    for frame, seen in views:
        corners = np.hstack((board.corners[seen.ids], np.ones((len(seen.ids), 1))))
        both = (np.linalg.inv(camera) @ frame @ target) @ corners.T, seen.pose @ corners.T
        squares.append(np.sum((both[0] - both[1])[:3] ** 2, axis=0))
    return float(np.sqrt(np.mean(np.concatenate(squares))))


def _vector(pose: Array) -> Array:
    return np.concatenate((Rotation.from_matrix(pose[:3, :3]).as_rotvec(), pose[:3, 3]))


def _matrix(vector: Array) -> Array:
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = Rotation.from_rotvec(vector[:3]).as_matrix(), vector[3:]
    return pose
