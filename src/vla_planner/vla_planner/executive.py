# SPDX-License-Identifier: Apache-2.0
"""From a goal to its end: plan, have a step done, check it, plan again. No ROS, no threads; time is passed in.

The executive gives orders (`next`): calls of the mind, steps for the policy, halts. It validates every step against the
vocabulary and against what is there, and it ends every goal within its budgets.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from vla_planner.errors import GoalError, PlannerUnavailableError, ReplyError, StepError
from vla_planner.orders import Act, Halt, Order, Think, Thought
from vla_planner.planner import Attempt, Decision, Image, Planner, Situation, Utterance, Verdict, judge_done
from vla_planner.report import GoalCode, GoalReport, GoalState, StepEnd, StepRecord, StepState
from vla_planner.scene import Scene
from vla_planner.settings import ExecutiveSettings
from vla_planner.utterances import is_question
from vla_planner.vocabulary import TABLETOP, Step, Vocabulary

MAX_GOAL = 2000  # characters
MAX_DIALOGUE = 40  # utterances kept of one goal
_FINAL = {
    StepEnd.STOPPED: (GoalCode.STOPPED, "halted by a stop"),
    StepEnd.SUPERSEDED: (GoalCode.SUPERSEDED, "an operator's own instruction took over"),
    StepEnd.NO_POLICY: (GoalCode.NO_POLICY, "nothing executes instructions"),
    StepEnd.REJECTED: (GoalCode.FAILED, "the policy cannot serve the step"),
}


class Executive:
    """One goal at a time. `report` says where it stands."""

    def __init__(
        self,
        planner: Planner,
        settings: ExecutiveSettings | None = None,
        vocabulary: Vocabulary = TABLETOP,
        robot: str = "",
    ) -> None:
        self._planner, self._vocabulary, self._robot = planner, vocabulary, robot
        self._settings = settings or ExecutiveSettings()
        self.report = GoalReport()
        self._number = 0
        self._reset()

    def _reset(self) -> None:
        self._scene = Scene()
        self._picture: Image | None = None
        self._dialogue: list[Utterance] = []
        self._objection, self._invalid = "", 0
        self._thinking = self._halting = self._acting = False
        self._questions: list[str] = []
        self._deadline = self._step_began = self._asked = self._ended_at = math.inf
        self._looks_done_since = math.inf
        self._direct: Step | None = None  # a goal that is one instruction, for which no mind is asked

    @property
    def over(self) -> bool:
        """Whether no goal is being worked on."""
        return self.report.state in (GoalState.IDLE, GoalState.FINISHED)

    @property
    def dialogue(self) -> tuple[Utterance, ...]:
        """What was said since the goal."""
        return tuple(self._dialogue)

    # From outside

    def begin(self, goal: str, now: float, timeout: float = 0.0) -> None:
        """Take a goal at `now` [s], in place of an earlier one; `timeout` [s], 0: that of the settings."""
        text = " ".join(goal.split())
        self._number += 1
        acting = self._acting
        self._reset()
        self._halting = acting
        self.report = GoalReport(goal=text[:MAX_GOAL], state=GoalState.PLANNING)
        self._deadline = now + (timeout or self._settings.goal_timeout)
        if not text:
            self.end(GoalCode.REJECTED, "the goal is empty; valid: what is to be reached, in words")
        elif len(text) > MAX_GOAL:
            self.end(GoalCode.REJECTED, f"the goal has {len(text)} characters; valid: up to {MAX_GOAL}")
        else:
            with suppress(StepError):
                self._direct = self._vocabulary.parse(text)

    def hear(self, text: str) -> None:
        """Take an operator's sentence about the goal: an answer, a correction, or a question."""
        text = " ".join(text.split())[:MAX_GOAL]
        if not text or (self.over and not is_question(text)):
            return
        if is_question(text) and self.report.state is not GoalState.ASKING:
            self._questions.append(text)
            return
        self._dialogue = [*self._dialogue, Utterance("operator", text)][-MAX_DIALOGUE:]
        self.report.question, self._objection, self._invalid = "", "", 0
        self._number += 1  # what the mind thinks at this moment is out of date
        self._thinking = False
        if self.report.active is not None:
            self._close_step(StepEnd.INTERRUPTED, None)
        self._halting, self._direct = self._acting, None
        self.report.state = GoalState.PLANNING

    def end(self, code: GoalCode, text: str) -> None:
        """End the goal; the policy is halted where it works."""
        if self.over and self.report.code is not GoalCode.UNKNOWN:
            return
        self._number += 1
        self._thinking = False
        if self.report.active is not None:
            self._close_step(StepEnd.CANCELLED, None)
        self._halting = self._acting
        self.report.state, self.report.code, self.report.text = GoalState.FINISHED, code, text
        self.report.plan, self.report.question = (), ""

    # Orders

    def next(self, now: float, scene: Scene, picture: Image | None = None) -> Order | None:
        """Return what is to be done now, None while others are at work. Call it several times a second."""
        self._scene, self._picture = scene, picture
        if self._halting:
            self._halting = self._acting = False
            return Halt()
        if self._questions and not self._thinking:
            question = self._questions.pop(0)
            return self._think("answer", lambda situation: self._planner.answer(situation, question))
        if self.over:
            return None
        if now > self._deadline:
            self.end(GoalCode.TIMEOUT, "the goal was not reached within its time")
            return self.next(now, scene, picture)
        state = self.report.state
        if state is GoalState.ASKING:
            self._wait_for_answer(now)
            return None
        if state is GoalState.EXECUTING:
            return self._watch(now)
        if self._thinking:
            return None
        if state is GoalState.CHECKING and self.report.active is not None:
            return self._check(self.report.active.step, now)
        return self._plan(now)

    def _check(self, step: Step, now: float) -> Order | None:
        """Have the mind judge a step once what is seen is of after its end."""
        self._ended_at = min(self._ended_at, now)
        if now - self._ended_at < self._settings.look_time:
            return None
        return self._think("done", lambda situation: self._planner.done(situation, step))

    def _plan(self, now: float) -> Order | None:
        """Have the mind decide, unless what comes next is settled."""
        if self._direct is not None:
            return self._do_directly(self._direct, now)
        if self._settings.replan or not self.report.decisions:
            return self._think("decide", self._planner.decide)
        if self.report.plan:
            return self._act(self.report.plan[0], now)
        self.end(GoalCode.FINISHED, "the first plan was executed to its end")
        return None

    def _do_directly(self, step: Step, now: float) -> Order | None:
        """Have one instruction done, again where the verdict was that it was not."""
        report = self.report
        if report.begun and report.begun[-1].state is StepState.DONE:
            self.end(GoalCode.FINISHED, "the goal is reached")
            return None
        try:
            self._check_steps((step,))
        except StepError as error:
            self.end(GoalCode.FAILED if report.begun else GoalCode.REJECTED, str(error))
            return None
        report.plan = (step,)
        return self._act(step, now)

    def take(self, thought: Thought, now: float) -> Order | None:
        """Take what a call of the mind came to; an outdated one is ignored. Returns a step to begin at once, if any."""
        if thought.number != self._number:
            return None
        self._thinking = False
        self.report.decision_time = thought.seconds
        if thought.error is not None:
            self._take_error(thought.error)
        elif isinstance(thought.value, str):
            self.report.say = thought.value or "I do not know."
        elif isinstance(thought.value, Verdict) and self.report.active is not None:
            self._take_verdict(thought.value)
        elif isinstance(thought.value, Decision):
            return self._take_decision(thought.value, now)
        return None

    def ended(self, how: StepEnd, text: str = "") -> None:
        """Say how the policy ended the step that was ordered."""
        self._acting = False
        active = self.report.active
        if active is None or self.report.state is not GoalState.EXECUTING:
            return
        active.end = how
        if how in _FINAL:
            code, words = _FINAL[how]
            self.end(code, f"{words}: {text}" if text else words)
        else:
            self.report.state = GoalState.CHECKING

    def situation(self) -> Situation:
        """Return what the mind decides on now."""
        history = tuple(Attempt(r.step, r.end.name.lower(), r.verdict) for r in self.report.begun)
        return Situation(
            self.report.goal, self._scene, self._picture, history, self.dialogue, self._robot, self._objection
        )

    def _think(self, kind: str, call: Callable[[Situation], Any]) -> Think:
        self._thinking = True
        situation = self.situation()
        return Think(self._number, kind, lambda: call(situation))

    def _watch(self, now: float) -> Order | None:
        """Halt the policy once the step has looked done for a while, or its time is up."""
        active = self.report.active
        if active is None:
            return None
        done = judge_done(self._scene, active.step).holds
        self._looks_done_since = min(self._looks_done_since, now) if done else math.inf
        if now - self._looks_done_since >= self._settings.settle_time:
            self.ended(StepEnd.SEEN_DONE)
        elif now - self._step_began > self._settings.step_timeout:
            self.ended(StepEnd.TIMEOUT)
        else:
            return None
        return Halt()

    def _wait_for_answer(self, now: float) -> None:
        self._asked = min(self._asked, now)
        if now - self._asked > self._settings.answer_timeout:
            self.end(GoalCode.FAILED, f"nobody answered: {self.report.question}")

    # What the mind said

    def _take_error(self, error: Exception) -> None:
        if isinstance(error, GoalError):
            self.end(GoalCode.FAILED if self.report.begun else GoalCode.REJECTED, str(error))
        elif isinstance(error, PlannerUnavailableError):
            self.end(GoalCode.NO_PLANNER, str(error))
        else:
            text = str(error) if isinstance(error, ReplyError) else f"{type(error).__name__}: {error}"
            self._object(text)

    def _object(self, reason: str) -> None:
        """Ask again with the reason, or give the goal up."""
        self._objection, self._invalid = reason, self._invalid + 1
        if self._invalid > self._settings.max_replies:
            self.end(GoalCode.FAILED, f"the planner's replies are invalid: {reason}")

    def _take_verdict(self, verdict: Verdict) -> None:
        active = self.report.active
        assert active is not None
        self._close_step(active.end, verdict)
        self._objection, self._invalid = "", 0
        self.report.state = GoalState.PLANNING
        failures = 0
        for record in reversed(self.report.begun):
            if record.step != active.step or record.state is not StepState.FAILED:
                break
            failures += 1
        if failures >= self._settings.max_attempts and self._settings.replan:
            self.end(GoalCode.FAILED, f"{active.step} failed {failures} times in a row: {verdict.reason}")

    def _close_step(self, end: StepEnd, verdict: Verdict | None) -> None:
        active = self.report.active
        assert active is not None
        active.end, active.verdict = end, verdict
        done = verdict is not None and verdict.holds
        active.state = StepState.DONE if done else StepState.DROPPED if verdict is None else StepState.FAILED
        if self.report.plan and self.report.plan[0] == active.step:
            self.report.plan = self.report.plan[1:]

    def _take_decision(self, decision: Decision, now: float) -> Order | None:
        report = self.report
        report.say = decision.say or report.say
        if decision.done:
            self.end(GoalCode.FINISHED, "the goal is reached")
        elif decision.refusal:
            self.end(GoalCode.FAILED if report.begun else GoalCode.REJECTED, decision.refusal)
        elif decision.question:
            report.state, report.question, self._asked = GoalState.ASKING, decision.question, now
            self._dialogue = [*self._dialogue, Utterance("planner", decision.question)][-MAX_DIALOGUE:]
        else:
            try:
                self._check_steps(decision.steps)
            except StepError as error:
                self._object(str(error))
                return None
            if report.decisions and decision.steps != report.plan:
                report.replans += 1
            report.plan, report.decisions = decision.steps, report.decisions + 1
            self._objection, self._invalid = "", 0
            return self._act(decision.steps[0], now)
        return None

    def _check_steps(self, steps: tuple[Step, ...]) -> None:
        """Raise StepError where a step is outside the vocabulary or names an absent object."""
        if len(steps) > self._settings.max_steps:
            raise StepError(f"the plan has {len(steps)} steps; valid: up to {self._settings.max_steps}")
        for step in steps:
            self._vocabulary.checked(step)
            absent = self._vocabulary.absent(step, self._scene.names)
            if absent:
                there = ", ".join(self._scene.names) or "nothing"
                raise StepError(f"{step}: the {' and the '.join(absent)} is not there; there: {there}")

    def _act(self, step: Step, now: float) -> Order | None:
        report = self.report
        if len(report.begun) >= self._settings.max_steps:
            self.end(GoalCode.FAILED, f"{len(report.begun)} steps were begun and the goal is not reached")
            return None
        tried = sum(record.step == step for record in report.begun[-self._settings.max_attempts :])
        report.begun.append(StepRecord(step, tried + 1))
        report.state, self._acting = GoalState.EXECUTING, True
        self._step_began, self._looks_done_since, self._ended_at = now, math.inf, math.inf
        return Act(step)
