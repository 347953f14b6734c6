# SPDX-License-Identifier: Apache-2.0
"""The error of this package."""


class RecordingError(ValueError):
    """A bag or a command of the recorder that is not usable; the text says what was found and what is valid."""
