# SPDX-License-Identifier: Apache-2.0
"""What a calibration cannot be made from."""


class CalibrationError(ValueError):
    """Pictures, poses or files that no calibration can be made from; the text says which, and what is needed."""
