# SPDX-License-Identifier: Apache-2.0
"""Typed errors of this package. Each message says what was received and what is valid."""


class PerceptionError(ValueError):
    """Base of every error that bad input to this package raises."""


class ImageError(PerceptionError):
    """An image cannot be decoded or resized."""


class StateError(PerceptionError):
    """A joint state or a pose is malformed."""
