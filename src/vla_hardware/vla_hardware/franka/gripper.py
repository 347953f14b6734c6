# SPDX-License-Identifier: Apache-2.0
"""The Franka hand: moves and grasps while the arm moves, the latest goal first. No ROS."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from vla_hardware.franka.errors import ArmError

PERIOD_S = 0.02  # [s] between two readings
DEADBAND = 0.002  # [m] of the width within which a goal is where the fingers are
ANY_WIDTH = 0.2  # [m] tolerance of a grasp: whatever is between the fingers is held


class Hand(Protocol):
    """What is needed of franky's Gripper."""

    state: Any

    def move_async(self, width: float, speed: float) -> Any:
        """Open or close to `width` [m]."""

    def grasp_async(self, width: float, speed: float, force: float, inner: float, outer: float) -> Any:
        """Close to `width` [m] and keep pressing with `force` [N]."""

    def stop(self) -> bool:
        """Stop a motion."""

    def homing_async(self) -> Any:
        """Find the fingers' stops."""


@dataclass(frozen=True, slots=True)
class HandReading:
    """Width between the pads [m] and its rate [m/s]; `is_grasped`: something is held with `force` [N]."""

    width: float
    velocity: float
    is_grasped: bool
    force: float = 0.0  # that the fingers close with; 0: they open, or rest where they are


class HandLoop:
    """Reads the hand and carries out the latest goal, in a thread of its own.

    Closing is a grasp, which keeps its force at whatever stops the fingers; opening is a move. A goal at the present
    width stops fingers that move and leaves alone fingers that rest.
    """

    def __init__(self, hand: Hand, speed: float, force: float) -> None:
        """`speed`: of the width [m/s]; `force`: of a grasp [N] unless a goal says another."""
        self._hand, self._speed, self._force = hand, speed, force
        self._goal: tuple[float, float] | None = None
        self._motion: Any = None
        self._homing = False
        self._closing = 0.0  # [N] of the grasp in force
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self.reading: HandReading | None = None
        self.trouble = ""  # why the hand could not be read or moved; empty: it could
        self.grasps = self.moves = 0

    def start(self) -> None:
        """Begin."""
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="hand", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End; fingers that hold something keep holding it."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout=1.5)

    def go(self, width: float, force: float | None = None) -> None:
        """Have the fingers at `width` [m]; where they close on something, it is held with `force` [N]."""
        with self._lock:
            self._goal = (width, self._force if force is None else force)

    def home(self) -> None:
        """Find the fingers' stops: needed once after the fingers were changed."""
        with self._lock:
            self._homing = True

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.tick()
                self.trouble = ""
            except Exception as error:  # the arm continues without its hand, and says so
                self.trouble = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
                self._stopping.wait(1.0)
            self._stopping.wait(PERIOD_S)

    def tick(self) -> None:
        """Read the hand and begin what is to be done."""
        state = self._hand.state
        width, before = float(state.width), self.reading
        velocity = 0.0 if before is None else (width - before.width) / PERIOD_S
        self.reading = HandReading(width, velocity, bool(state.is_grasped), self._closing)
        with self._lock:
            goal, self._goal = self._goal, None
            homing, self._homing = self._homing, False
        if homing:
            self._begin(self._hand.homing_async)
        elif goal is not None:
            self._begin_goal(width, *goal)

    def _begin_goal(self, width: float, goal: float, force: float) -> None:
        if abs(goal - width) <= DEADBAND:
            self._end_motion()
        elif goal < width:
            self._begin(lambda: self._hand.grasp_async(goal, self._speed, force, ANY_WIDTH, ANY_WIDTH))
            self._closing = force
            self.grasps += 1
        else:
            self._closing = 0.0
            self._begin(lambda: self._hand.move_async(goal, self._speed))
            self.moves += 1

    def _begin(self, motion: Callable[[], Any]) -> None:
        self._end_motion()
        self._motion = motion()

    def _end_motion(self) -> None:
        """Stop fingers that move; a grasp that has ended keeps its force."""
        if self._motion is not None and not self._motion.wait(0.0):
            self._hand.stop()
            self._closing = 0.0
        self._motion = None


def connect_hand(franky: Any, address: str) -> Any:
    """Return franky's Gripper; raises ArmError where there is none."""
    try:
        return franky.Gripper(address)
    except franky.Exception as error:
        raise ArmError(
            f"no hand at {address}: {error}; start it in Desk, or set hand:=false for an arm without one"
        ) from error
