# SPDX-License-Identifier: Apache-2.0
"""The velocity of a mobile base under the arm: what chunks ask for, when it is due, held to the base's limits."""

from __future__ import annotations

from bisect import bisect_right

import numpy as np
import numpy.typing as npt
import ruckig
from vla_core.action import ActionChunk
from vla_core.robot import BaseConfig

from vla_controller.intake.targets import Schedule
from vla_controller.refusals import Refusal, RefusalLog

Array = npt.NDArray[np.float64]

_STILL = 1e-6  # [m/s], [rad/s] below which a velocity is zero


class BaseVelocity:
    """Steps' velocities hold from when they are due for one period; after the last one the base decelerates to rest."""

    def __init__(self, config: BaseConfig | None, dt: float, log: RefusalLog) -> None:
        """``config`` None: there is no base, velocities are ignored and counted. ``dt`` [s] between ticks."""
        self._config, self._log = config, log
        self._times: list[float] = []
        self._rows: list[Array] = []
        if config is None:
            return
        self._top = config.velocity
        self._generator = ruckig.Ruckig(3, dt)
        self._input, self._output = ruckig.InputParameter(3), ruckig.OutputParameter(3)
        self._input.control_interface = ruckig.ControlInterface.Velocity
        self._input.synchronization = ruckig.Synchronization.No
        self._input.max_acceleration, self._input.max_jerk = config.acceleration.tolist(), config.jerk.tolist()

    def follow(self, chunk: ActionChunk, plan: Schedule) -> None:
        """Take over the velocities of a chunk that passed the gate, from its first step that is not late."""
        period = plan.timing.period  # a longer one than the chunk's: slower, over the same way
        rows = [chunk.steps[k].base * (chunk.period / period) for k in plan.indices]
        if self._config is None:
            if any(row.any() for row in rows):
                self._log.add(Refusal("no_mobile_base", "a chunk moves a base; this robot's description has none"))
            return
        inside = [np.clip(row, -self._top, self._top) for row in rows]
        if any(np.any(a != b) for a, b in zip(rows, inside, strict=True)):
            self._log.add(Refusal("base_limit_clamped", f"a base velocity was cut to {self._top.tolist()} m/s, rad/s"))
        kept = bisect_right(self._times, plan.times[0] - 1e-9)
        self._times = [*self._times[:kept], *plan.times, plan.times[-1] + period]
        self._rows = [*self._rows[:kept], *inside, np.zeros(3)]

    def halt(self) -> None:
        """Drop what is planned; the base decelerates from the next tick on."""
        self._times, self._rows = [], []

    @property
    def at_rest(self) -> bool:
        """Whether the base is commanded to stand still."""
        return self._config is None or not np.any(np.abs(self._input.current_velocity) > _STILL)

    def tick(self, now: float) -> Array | None:
        """Velocity (3,) x [m/s], y [m/s], about z [rad/s] to command at ``now`` [s]; None without a base."""
        if self._config is None:
            return None
        due = bisect_right(self._times, now + 1e-9)
        self._times, self._rows = self._times[max(0, due - 1) :], self._rows[max(0, due - 1) :]
        wanted = self._rows[0] if due else np.zeros(3)
        self._input.target_velocity = wanted.tolist()
        self._generator.update(self._input, self._output)
        self._output.pass_to_input(self._input)
        velocity = np.array(self._output.new_velocity)
        return np.where(np.abs(velocity) < _STILL, 0.0, velocity)
