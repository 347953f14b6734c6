# SPDX-License-Identifier: Apache-2.0
"""Pinhole intrinsics, in the YAML form of camera_calibration and camera_info_manager."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import yaml

from vla_calibration.errors import CalibrationError

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Intrinsics:
    """Of one camera; distortion by OpenCV's model `plumb_bob` or `rational_polynomial`."""

    width: int  # [pixels]
    height: int  # [pixels]
    matrix: Array  # (3, 3)
    distortion: Array  # (5,) or (8,); zeros: none

    def __post_init__(self) -> None:
        """Raise CalibrationError for what is no camera."""
        usable = (
            self.matrix.shape == (3, 3) and np.all(np.isfinite(self.matrix)) and np.all(np.isfinite(self.distortion))
        )
        if not usable or self.matrix[0, 0] <= 0.0 or self.matrix[1, 1] <= 0.0:
            raise CalibrationError(
                f"the camera matrix is {self.matrix.tolist()}; valid: fx and fy above 0. A driver that publishes zeros "
                "has not been calibrated: run camera_calibration first"
            )


def read_intrinsics(path: Path) -> Intrinsics:
    """Return what a camera_info file says; raises CalibrationError when it is missing or invalid."""
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        matrix = np.array(data["camera_matrix"]["data"], dtype=np.float64).reshape(3, 3)
        distortion = np.array(data.get("distortion_coefficients", {"data": [0.0] * 5})["data"], dtype=np.float64)
        return Intrinsics(int(data["image_width"]), int(data["image_height"]), matrix, distortion)
    except CalibrationError as error:
        raise CalibrationError(f"{path}: {error}") from error
    except (OSError, KeyError, TypeError, ValueError, yaml.YAMLError) as error:
        raise CalibrationError(
            f"cannot read the camera's intrinsics from {path}: {type(error).__name__}: {error}; valid: the YAML file "
            "of camera_calibration"
        ) from error


def intrinsics_yaml(camera: Intrinsics) -> str:
    """Return the file that `read_intrinsics` reads."""
    model = "plumb_bob" if len(camera.distortion) <= 5 else "rational_polynomial"
    text: str = yaml.safe_dump(
        {
            "image_width": camera.width,
            "image_height": camera.height,
            "camera_matrix": {"rows": 3, "cols": 3, "data": camera.matrix.ravel().tolist()},
            "distortion_model": model,
            "distortion_coefficients": {"rows": 1, "cols": len(camera.distortion), "data": camera.distortion.tolist()},
        },
        sort_keys=False,
    )
    return text
