# SPDX-License-Identifier: Apache-2.0
"""What one tick of the controller commands."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from vla_controller.motion.motion import Motion

Array = npt.NDArray[np.float64]


class ControllerState(IntEnum):
    """Values equal the constants of vla_msgs/ControllerStatus."""

    WAITING = 0
    HOLDING = 1
    TRACKING = 2
    STOPPING = 3
    ESTOPPED = 4


@dataclass(frozen=True, slots=True)
class Setpoint:
    """What one tick commands: the arm is to be at ``q`` one tick after ``stamp``."""

    stamp: float  # [s] when the tick ran
    state: ControllerState
    q: Array  # (n,) [rad]
    qd: Array  # (n,) [rad/s]
    qdd: Array  # (n,) [rad/s^2]
    reference: Array  # (n,) [rad] where the chunks want the joints at that time
    gripper: float  # opening last commanded, 0 to 1; NaN before the first command, and after a stop
    instruction_id: str  # of the chunk being followed, or followed last
    chunk_sequence: int
    chunk_stamp_ns: int  # [ns] exactly as it came; 0 before the first chunk
    stamp_to_setpoint: float  # [s] that stamp to the first setpoint that follows the chunk; NaN before the first
    reason: str  # why the state is what it is
    ahead: Motion  # from the setpoint before (time 0) through the tick to this one, then the hardest stop to rest
    base: Array | None = None  # (3,) [m/s, m/s, rad/s] of the mobile base; None where there is none
