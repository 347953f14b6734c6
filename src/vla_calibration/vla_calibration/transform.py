# SPDX-License-Identifier: Apache-2.0
"""The calibrated transform as a file, as a command of tf2_ros and as the origin of a URDF's joint."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import yaml
from scipy.spatial.transform import Rotation
from vla_core.urdf.model_source import ModelSource

from vla_calibration.solve import Calibration

Array = npt.NDArray[np.float64]


def tool_in_link(model: ModelSource) -> Array:
    """Return the pose (4, 4) of the tool centre point in the link that carries it."""
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_quat(model.tcp_quaternion_xyzw).as_matrix()
    pose[:3, 3] = model.tcp_position
    return pose


def transform_yaml(found: Calibration, parent: str, child: str) -> str:
    """Return the file: frames, translation [m], rotation xyzw and rpy [rad], errors."""
    rotation = Rotation.from_matrix(found.camera[:3, :3])
    data = {
        "parent_frame": parent,
        "child_frame": child,
        "translation": np.round(found.camera[:3, 3], 6).tolist(),
        "rotation_xyzw": np.round(rotation.as_quat(), 8).tolist(),
        "rpy": np.round(rotation.as_euler("xyz"), 7).tolist(),
        "mount": found.mount.value,
        "error_px": round(found.error_px, 3),
        "error_mm": round(found.error_mm, 3),
        "samples": found.samples,
    }
    text: str = yaml.safe_dump(data, sort_keys=False)
    return f"# SPDX-License-Identifier: Apache-2.0\n# vla calibrate. Lengths [m], angles [rad].\n{text}"


def tf_command(found: Calibration, parent: str, child: str) -> str:
    """Return the command that puts the transform on /tf_static."""
    x, y, z = np.round(found.camera[:3, 3], 6)
    qx, qy, qz, qw = np.round(Rotation.from_matrix(found.camera[:3, :3]).as_quat(), 8)
    return (
        f"ros2 run tf2_ros static_transform_publisher --x {x} --y {y} --z {z} --qx {qx} --qy {qy} --qz {qz} --qw {qw} "
        f"--frame-id {parent} --child-frame-id {child}"
    )


def urdf_joint(found: Calibration, parent: str, child: str) -> str:
    """Return the fixed joint for the robot's URDF."""
    x, y, z = np.round(found.camera[:3, 3], 6)
    roll, pitch, yaw = np.round(Rotation.from_matrix(found.camera[:3, :3]).as_euler("xyz"), 7)
    return (
        f'<joint name="{child}_calibrated" type="fixed"><parent link="{parent}"/><child link="{child}"/>'
        f'<origin xyz="{x} {y} {z}" rpy="{roll} {pitch} {yaw}"/></joint>'
    )
