# SPDX-License-Identifier: Apache-2.0
"""A gamepad at this machine, read by pygame (SDL), which is needed only here."""

from __future__ import annotations

import importlib
import os
from types import TracebackType
from typing import Any

from vla_operator.teleop.reading import DeviceError, DeviceLostError, Reading


class Gamepad:
    """The first gamepad, or the one whose name holds a text. A context manager."""

    def __init__(self, wanted: str = "", pygame: Any = None) -> None:
        """Open it; ``pygame``: the module, where it is imported already.

        Raises:
            DeviceError: pygame is not installed, or there is no such gamepad.
        """
        os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
        os.environ.setdefault("SDL_JOYSTICK_ALLOW_BACKGROUND_EVENTS", "1")
        os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
        self._pygame = pygame or _import_pygame()
        self._pygame.display.init()
        self._pygame.joystick.init()
        found = [self._pygame.joystick.Joystick(k) for k in range(self._pygame.joystick.get_count())]
        fitting = [pad for pad in found if wanted.lower() in pad.get_name().lower()]
        if not fitting:
            names = ", ".join(repr(pad.get_name()) for pad in found) or "none"
            asked = f"no gamepad whose name holds {wanted!r}" if wanted else "no gamepad"
            raise DeviceError(f"{asked} at this machine; found: {names}. Its user needs to read /dev/input")
        self._pad = fitting[0]
        self.name = str(self._pad.get_name())
        self._touched: set[int] = set()  # axes that have moved: SDL says 0 of the others, at rest or not

    def __enter__(self) -> Gamepad:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pygame.joystick.quit()

    def read(self) -> Reading:
        """Return axes and buttons.

        Raises:
            DeviceLostError: the gamepad was unplugged.
        """
        for event in self._pygame.event.get():
            if event.type == self._pygame.JOYDEVICEREMOVED and event.instance_id == self._pad.get_instance_id():
                raise DeviceLostError(f"gamepad {self.name!r} was unplugged")
            if event.type == self._pygame.JOYAXISMOTION:
                self._touched.add(int(event.axis))
        axes = range(self._pad.get_numaxes())
        values = (float(self._pad.get_axis(k)) if k in self._touched else float("nan") for k in axes)
        buttons = (bool(self._pad.get_button(k)) for k in range(self._pad.get_numbuttons()))
        hats = [self._pad.get_hat(k) for k in range(self._pad.get_numhats())]
        return Reading((*values, *(float(side) for hat in hats for side in hat)), tuple(buttons))


def _import_pygame() -> Any:
    try:
        return importlib.import_module("pygame")
    except ImportError as error:
        raise DeviceError(
            "the gamepad is read by pygame, which is not installed: ./vla run python -m pip install pygame-ce"
        ) from error
