# SPDX-License-Identifier: Apache-2.0
"""One goal in one world: the executive, its mind and the policy take turns in simulated time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from vla_planner.executive import Executive
from vla_planner.orders import Act, Halt, Think
from vla_planner.planner import Decision, Planner
from vla_planner.report import StepEnd
from vla_planner.settings import ExecutiveSettings
from vla_planner.vocabulary import TABLETOP, Step
from vla_policy.run.state import State
from vla_policy.settings import Settings
from vla_sim.task.disturbance import DisturbanceError, disturb
from vla_sim.world.camera import Camera
from vla_sim.world.world import World

from vla_training.evaluate.goals.cases import GoalCase, lay_case
from vla_training.evaluate.goals.eyes import Eyes
from vla_training.evaluate.goals.truth import share_held, step_holds, step_possible
from vla_training.evaluate.lockstep import INSTRUCTION_ID, Lockstep, LockstepSettings
from vla_training.evaluate.policy_driver import PolicyDriver

_SETTLING = 5  # policy periods after the end in which the table comes to rest
_DISTURBANCES = ("move", "slip", "add")


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict beside the truth. kind: done (of a step that was begun), was done, possible."""

    kind: str
    step: str
    said: bool
    true: bool


@dataclass(slots=True)
class GoalResult:
    """One episode. planned: the first plan is right; success: the goal holds in truth at the end."""

    index: int
    goal: str
    kind: str
    length: str
    code: str = ""
    text: str = ""
    planned: bool = False
    success: bool = False
    progress: float = 0.0
    steps_in_row: int = 0
    steps: list[str] = field(default_factory=list)
    replans: int = 0
    seconds: float = 0.0  # simulated
    decision_seconds: list[float] = field(default_factory=list)
    disturbance: str = ""
    judged: list[Judged] = field(default_factory=list)


class GoalRunner:
    """Runs cases one after the other; the same seed and index give the same table."""

    def __init__(
        self, planner: Planner, policy: Settings, executive: ExecutiveSettings, world: World, eyes: Eyes, camera: Camera
    ) -> None:
        self._planner, self._settings = planner, executive
        self._driver = PolicyDriver(policy)
        self._world, self._eyes = world, eyes
        period = LockstepSettings(policy_period=1.0 / policy.rate)
        self._lockstep = Lockstep(world, camera, self._driver.policy.image_size or (128, 160), period)

    def run(self, case: GoalCase, index: int, seed: int, disturbed: bool = False) -> GoalResult:
        """Lay the table, give the goal, let all work until it ends."""
        rng = np.random.default_rng([seed, 17, index])
        self._rng = np.random.default_rng([seed, 18, index])
        result = GoalResult(index, case.goal, case.kind, case.length)
        self._lockstep.forget()
        lay_case(case, self._world.robot, rng).apply(self._world)
        self._lockstep.start()
        self._eyes.forget()
        self._disturb_at = self._draw_disturbance(case) if disturbed else None
        self._acting = False
        executive = Executive(self._planner, self._settings, robot=self._world.robot.name)
        began = self._world.time
        executive.begin(case.goal, began)
        self._achieved: list[Step] = []
        self._row = 0
        while not executive.over:
            self._turn(case, executive, result)
            self._maybe_disturb(executive, result)
            self._period(executive)
        self._acting = False
        for _ in range(_SETTLING):
            self._lockstep.hold()
        self._score(case, executive, result)
        result.seconds = round(self._world.time - began, 1)
        return result

    def _turn(self, case: GoalCase, executive: Executive, result: GoalResult) -> None:
        """Carry out orders until there is none."""
        for _ in range(12):
            scene = self._eyes.look(self._planner.wants_picture)
            order = executive.next(self._world.time, scene, self._eyes.picture)
            if isinstance(order, Think):
                self._probe(order, executive, result)
                thought = order.run()
                result.decision_seconds.append(thought.seconds)
                if order.kind == "decide" and isinstance(thought.value, Decision) and not result.steps:
                    result.steps = [step.text for step in thought.value.steps]
                active = executive.report.active
                order = executive.take(thought, self._world.time)
                if active is not None and active.verdict is not None:
                    true = step_holds(self._world, active.step)
                    result.judged.append(Judged("done", active.step.text, active.verdict.holds, true))
                    if true:
                        self._achieved.append(active.step)
                    self._advance(case)
            if isinstance(order, Act):
                self._lockstep.new_instruction()
                self._driver.begin(INSTRUCTION_ID, order.step.text, self._world.time)
                self._acting = True
            elif isinstance(order, Halt):
                self._acting = False
            elif order is None:
                return

    def _advance(self, case: GoalCase) -> None:
        """Count the steps of a chain that have come true in its order."""
        while case.ordered and self._row < len(case.steps) and step_holds(self._world, case.steps[self._row]):
            self._row += 1

    def _period(self, executive: Executive) -> None:
        """Let one policy period pass."""
        if not self._acting:
            self._lockstep.hold()
            return
        observation = self._lockstep.observe(self._driver.policy.uses_scene)
        chunk = self._driver.act(observation, self._world.time, self._lockstep.settings.inference_time)
        if chunk is not None:
            self._lockstep.apply(observation, chunk)
        else:
            self._lockstep.hold()
        if self._driver.over:
            self._acting = False
            failed = self._driver.status.state is State.ERROR
            executive.ended(StepEnd.FAILED if failed else StepEnd.FINISHED, self._driver.status.reason)

    def _probe(self, order: Think, executive: Executive, result: GoalResult) -> None:
        """Ask the mind about another step as well, where it judges one: was it done, is it possible?"""
        if order.kind != "done":
            return
        situation = executive.situation()
        steps = list(TABLETOP.steps(TABLETOP.objects))
        for kind, judge, truth in (
            ("was done", self._planner.done, step_holds),
            ("possible", self._planner.possible, step_possible),
        ):
            holding = [step for step in steps if truth(self._world, step)]
            pool = holding if holding and self._rng.random() < 0.5 else steps
            step = pool[int(self._rng.integers(len(pool)))]
            said = judge(situation, step).holds
            result.judged.append(Judged(kind, step.text, said, truth(self._world, step)))

    def _draw_disturbance(self, case: GoalCase) -> tuple[str, int, float]:
        kind = str(self._rng.choice(_DISTURBANCES))
        return kind, int(self._rng.integers(0, max(1, len(case.steps) - 1))), float(self._rng.uniform(1.0, 4.0))

    def _maybe_disturb(self, executive: Executive, result: GoalResult) -> None:
        """Disturb once, some time after a drawn step began; a slip waits until something is held."""
        if self._disturb_at is None or not self._acting:
            return
        kind, number, delay = self._disturb_at
        begun = len(executive.report.begun)
        if begun <= number or (begun == number + 1 and self._step_time(begun) < delay):
            return
        try:
            result.disturbance = disturb(self._world, kind, seed=result.index)
            self._disturb_at = None
        except DisturbanceError:
            if kind == "add":
                self._disturb_at = ("move", number, delay)

    def _step_time(self, begun: int) -> float:
        if getattr(self, "_counted", -1) != begun:
            self._counted, self._counted_at = begun, self._world.time
        return self._world.time - self._counted_at

    def _score(self, case: GoalCase, executive: Executive, result: GoalResult) -> None:
        report = executive.report
        result.code, result.text, result.replans = report.code.name, report.text, report.replans
        result.planned = plan_is_right(case, [TABLETOP.parse(text) for text in result.steps])
        result.progress = share_held(self._world, case.done)
        result.success = result.progress == 1.0
        row = self._row if case.ordered else len(self._achieved)
        if case.ordered:
            result.progress = row / len(case.steps)
            result.success = result.success and row == len(case.steps)
        result.steps_in_row = row
        result.steps = [record.step.text for record in report.begun]

    def close(self) -> None:
        """Free the policy."""
        self._driver.close()


def plan_is_right(case: GoalCase, plan: Sequence[Step]) -> bool:
    """Whether a plan has the steps that the goal needs: in its order where it names one, and no others.

    For gathering, the block that each is put next to is free. A caller's own goal counts as planned where there is a
    plan.
    """
    if not case.steps:
        return bool(plan)
    if case.ordered:
        return tuple(plan) == case.steps
    if case.kind == "gather":
        return {step.object for step in plan} <= {step.object for step in case.steps} and bool(plan)
    return set(plan) <= set(case.steps) and bool(plan)
