# SPDX-License-Identifier: Apache-2.0
"""What the operator does: one instruction after the other, each until it succeeds or its time is over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from vla_demo.run.plans import ANY, Plan, PlanError, another_instruction
from vla_demo.run.samples import Episode, Recording

STOP = "stop"
SETTLE_S = 3.0  # at most so long for the arm to come to rest after "stop"
HOME_S = 8.0  # at most so long for the arm to be at home
LINGER_S = 0.8  # how long the arm stays as it is after a success, for the eye
SWITCH_AFTER_S = 1.5  # when an instruction is replaced mid-run


class TableRefusedError(RuntimeError):
    """The simulator did not lay the table; the text is its reason."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table that was laid: the sentence that is judged, its family, and when it was ready [s]."""

    instruction: str
    family: str
    stamp: float


class Operator(Protocol):
    """What an episode needs of the graph; ros_client.GraphClient is it over DDS."""

    recording: Recording
    object_names: tuple[str, ...]

    def now(self) -> float:
        """The ROS clock [s]."""

    def wait(self, condition: Callable[[], bool], timeout: float, on_turn: Callable[[], None] = ...) -> bool:
        """Let messages in until `condition` holds or `timeout` [s] has passed."""

    def say(self, text: str) -> float:
        """Give an instruction; return when [s]."""

    def set_task(self, instruction: str, family: str, seed: int, keep_objects: bool = False) -> Table:
        """Lay the table; raises TableRefusedError."""

    def go_home(self) -> float:
        """Ask the controller to go to the robot's home; return when it said that it does [s]."""


@dataclass(frozen=True, slots=True)
class Current:
    """The episode that runs: for the display."""

    number: int  # from 1
    count: int
    instruction: str
    start: float  # [s]
    replaced: str = ""


@dataclass(slots=True)
class Session:
    """Gives `plans` to `operator` in turn; `on_turn` is called while it waits, with what runs."""

    operator: Operator
    plans: Sequence[Plan]
    timeout_s: float = 30.0
    on_turn: Callable[[Current | None], None] = lambda current: None
    on_episode: Callable[[Episode], None] = lambda episode: None

    def run(self) -> list[Episode]:
        """Run all; the episodes are also added to the operator's recording as they end."""
        self._bring_to_rest()
        for number, plan in enumerate(self.plans, 1):
            episode = self._episode(plan, number)
            self.operator.recording.episodes.append(episode)
            self.on_episode(episode)
            self._bring_to_rest()
        return self.operator.recording.episodes

    def _episode(self, plan: Plan, number: int) -> Episode:
        try:
            table = self.operator.set_task(plan.instruction, plan.family, plan.seed)
            return self._follow(plan, table, number)
        except (TableRefusedError, PlanError) as error:
            now = self.operator.now()
            return Episode(plan.instruction or "(none)", plan.family, plan.seed, False, now, now, note=str(error))

    def _follow(self, plan: Plan, table: Table, number: int) -> Episode:
        replaced, replaced_start = "", float("nan")
        start = self.operator.say(table.instruction)
        if plan.then:
            replaced, replaced_start = table.instruction, start
            current = Current(number, len(self.plans), table.instruction, start)
            self.operator.wait(lambda: False, SWITCH_AFTER_S, lambda: self.on_turn(current))
            then = plan.then
            if then == ANY:
                then = another_instruction(table.instruction, self.operator.object_names, plan.seed)
            table = self.operator.set_task(then, "", plan.seed, keep_objects=True)
            start = self.operator.say(table.instruction)
        current = Current(number, len(self.plans), table.instruction, start, replaced)
        turn = lambda: self.on_turn(current)  # noqa: E731
        success = self.operator.wait(lambda: self._succeeded(table) is not None, self.timeout_s, turn)
        end = self._succeeded(table) if success else self.operator.now()
        if success:
            self.operator.wait(lambda: False, LINGER_S, turn)
        return Episode(
            table.instruction, table.family, plan.seed, success, start, end or start, replaced, replaced_start
        )

    def _succeeded(self, table: Table) -> float | None:
        """When the simulator last said that the task of `table` succeeded [s]; None when it does not say so."""
        samples = self.operator.recording.task
        if not samples or not samples[-1].success or samples[-1].instruction != table.instruction:
            return None
        return samples[-1].stamp if samples[-1].stamp >= table.stamp else None

    def _bring_to_rest(self) -> None:
        """Say "stop", wait until the controller holds, and let it go home: new tables are not laid into the hand."""
        self._wait_until_holding(self.operator.say(STOP), SETTLE_S)
        self._wait_until_holding(self.operator.go_home(), HOME_S)

    def _wait_until_holding(self, since: float, timeout: float) -> None:
        controller = self.operator.recording.controller

        def holding() -> bool:
            return bool(controller) and controller[-1].stamp > since + 0.2 and controller[-1].state == "holding"

        self.operator.wait(holding, timeout, lambda: self.on_turn(None))
