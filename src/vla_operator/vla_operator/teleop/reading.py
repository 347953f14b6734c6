# SPDX-License-Identifier: Apache-2.0
"""What a device says at a moment, and the errors of devices."""

from __future__ import annotations

from dataclasses import dataclass


class DeviceError(RuntimeError):
    """A device cannot be used; the text says why and what helps."""


class DeviceLostError(DeviceError):
    """A device that was in use is gone."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Axes from -1 to 1, buttons that are down, keys that are down; what a device does not have is empty."""

    axes: tuple[float, ...] = ()
    buttons: tuple[bool, ...] = ()
    keys: frozenset[str] = frozenset()
    age: float = 0.0  # [s] since the device said so
