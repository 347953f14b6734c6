# SPDX-License-Identifier: Apache-2.0
"""The gate's memory: the current instruction, whether the arm is stopped, which chunk came last."""

from __future__ import annotations

import math
from collections.abc import Callable

from vla_core.action import ActionChunk
from vla_core.robot import RobotConfig

from vla_controller.intake.checks import Array, GateContext
from vla_controller.intake.gate import judge
from vla_controller.intake.latency import LatencyBudget, Timing
from vla_controller.intake.targets import AcceptedChunk, Reference
from vla_controller.refusals import Refusal, RefusalLog
from vla_controller.settings import ControllerSettings


class Intake:
    """Lets chunks through the gate and counts those that it refuses."""

    def __init__(
        self, config: RobotConfig, settings: ControllerSettings, tool: Callable[[Array], Array], log: RefusalLog
    ) -> None:
        """``tool`` gives the position (3,) [m] of the tool centre point for joints (n,) [rad]."""
        self._config, self._settings, self._tool, self._log = config, settings, tool, log
        self._last_order: tuple[float, int] | None = None
        self._situation = 0
        self.latency = LatencyBudget(settings)
        self.timing = Timing(settings.latency_budget, math.nan)  # of the chunk that is followed
        self.pace = 1.0  # share of its policy's pace at which it is followed
        self.instruction: str | None = None  # id; None before the first
        self.stopped = False  # chunks are refused until a new instruction comes
        self.steps_late = 0  # steps that were already past when their chunk came

    def judge(self, chunk: ActionChunk, now: float, reference: Reference) -> AcceptedChunk | Refusal:
        """Return what is to be done of ``chunk`` at ``now`` [s], or why it is refused."""
        context = GateContext(
            now=now,
            config=self._config,
            settings=self._settings,
            instruction_id=self.instruction,
            stopped=self.stopped,
            latency=self.latency,
            last_order=self._last_order,
            reference=reference,
            tool=self._tool,
            situation=self._situation,
        )
        verdict = judge(chunk, context)
        if isinstance(verdict, AcceptedChunk):
            return verdict
        if verdict.name == "all_steps_late":
            self.steps_late += len(chunk.steps)
        return self._log.add(verdict)

    def situation_changed(self) -> None:
        """Verdicts given so far no longer hold: the arm was halted, or somebody else has it."""
        self._situation += 1

    def holds(self, accepted: AcceptedChunk) -> bool:
        """Whether the verdict over a chunk still holds."""
        return accepted.situation == self._situation

    def took(self, accepted: AcceptedChunk) -> None:
        """Take note that a chunk is followed from now on."""
        for change in accepted.changes:
            self._log.add(change)
        self.steps_late += accepted.schedule.late
        self.timing = accepted.schedule.timing
        self.pace = accepted.chunk.period / self.timing.period
        self._last_order = (accepted.chunk.stamp, accepted.chunk.sequence)

    def clock_went_back(self, now: float) -> None:
        """Forget the order of stamps that now lie in the future."""
        self._last_order = None
        self.latency.clock_went_back()
