# SPDX-License-Identifier: Apache-2.0
"""Where a camera is, in the base frame or on the hand, by a printed ChArUco board. Free of ROS but for `ros/`."""

from vla_core.lazy import lazy_exports

__getattr__, __all__ = lazy_exports(
    __name__,
    {
        "board": ("Board", "Detection"),
        "errors": ("CalibrationError",),
        "intrinsics": ("Intrinsics",),
        "solve": ("Calibration", "Sample", "solve"),
    },
)
