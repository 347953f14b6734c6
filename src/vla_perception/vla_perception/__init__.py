# SPDX-License-Identifier: Apache-2.0
"""Camera ingest: images and joint states become observations."""

from vla_core.lazy import lazy_exports

__getattr__, __all__ = lazy_exports(
    __name__,
    {
        "image.decoding": ("RawImage", "decode_compressed", "decode_raw"),
        "image.resizing": ("resize_to",),
        "state.joint_state_buffer": ("JointStateBuffer",),
        "state.pose_buffer": ("PoseBuffer",),
        "state.robot_state": ("RobotState", "RobotStateTracker"),
        "settings": ("CameraSettings",),
        "errors": ("ImageError", "PerceptionError", "StateError"),
    },
)
