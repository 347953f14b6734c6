# SPDX-License-Identifier: Apache-2.0
"""The planner `symbols`: what the goal means, what of it does not hold, which step is best now."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from vla_planner.errors import GoalError
from vla_planner.planner import Decision, Planner, PlannerConfig, Situation, Verdict
from vla_planner.scene import Scene
from vla_planner.symbols import affordance, dialogue
from vla_planner.symbols.explain import explain
from vla_planner.symbols.goal import Steps, resolve, unmet
from vla_planner.symbols.grammar import parse_stages
from vla_planner.symbols.similar import LEAST, meaning
from vla_planner.symbols.wishes import Selection, Stage, Wish
from vla_planner.vocabulary import Step, Vocabulary

EXAMPLES = (
    "put all the blocks in the bowl; put everything but the red block in the bowl; clear the table; gather the blocks "
    "around the green block; warm colours to the left, cold colours to the right; first push the red block to the "
    "left, then put the blue block in the bowl"
)


class SymbolsPlanner(Planner):
    """Rules on symbols. The same situation gives the same decision."""

    name = "symbols"

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._understand = lru_cache(maxsize=64)(self._understood)

    def decide(self, situation: Situation) -> Decision:
        """Return what is left to do, best step first. Raises GoalError for a goal that cannot be."""
        stages = dialogue.apply(
            self._understand(situation.goal), situation.dialogue, situation.history, self._understand
        )
        scene = situation.scene
        vague = next((wish for stage in stages for wish in stage if wish.objects.vague), None)
        if vague is not None:
            candidates = self._candidates(scene, vague)
            if len(candidates) != 1:
                return _question(candidates, vague, scene)
            stages = _filled(stages, candidates[0])
        left = unmet(resolve(_worked_off(stages), scene), situation.history, scene)
        steps = self._ordered(left, situation)
        return Decision(steps=steps) if steps else Decision(done=True)

    def possible(self, situation: Situation, step: Step) -> Verdict:
        """Judge by the symbols whether the step can be done now."""
        return affordance.can(situation.scene, step, situation.history)

    def answer(self, situation: Situation, question: str) -> str:
        """Answer from plan, state and verdicts."""
        try:
            decision = self.decide(situation) if situation.goal else None
        except GoalError:
            decision = None
        plan = tuple(step.text for step in decision.steps) if decision is not None else ()
        return explain(situation, question, plan)

    def _understood(self, goal: str) -> tuple[Stage, ...]:
        stages: list[Stage] = []
        for words, stage in parse_stages(goal, self._vocabulary):
            wishes = stage
            if not wishes:
                found, similarity = meaning(words)
                if not found:
                    raise GoalError(
                        f"{words[:120]!r} is not understood (similarity {similarity:.2f} to known forms; valid from "
                        f"{LEAST:g}); say for example: {EXAMPLES}"
                    )
                wishes = tuple(found)
            stages.append(wishes)
        if not stages:
            raise GoalError(f"the goal {goal[:80]!r} asks for nothing; say for example: {EXAMPLES}")
        return tuple(stages)

    def _candidates(self, scene: Scene, wish: Wish) -> tuple[str, ...]:
        """Return the blocks that an unnamed one may be: those there for which the wish does not hold."""
        there = [name for name in self._vocabulary.movable if name in scene.names and name != wish.target]
        fit = [n for n in there if n not in wish.objects.but and not scene.holds(Step(wish.family, n, wish.target))]
        return tuple(fit)

    def _ordered(self, left: Sequence[Steps], situation: Situation) -> Steps:
        """Return the steps of the first stage by their score, then those of the later stages."""
        ordered: list[Step] = []
        for index, steps in enumerate(left):
            if not ordered and index < len(left) and steps:
                ranked = sorted(steps, key=lambda s: -affordance.score(situation.scene, s, steps, situation.history))
                ordered += [affordance.instead(situation.scene, step, situation.history) for step in ranked]
            else:
                ordered += steps
        return tuple(ordered)


def _question(candidates: Sequence[str], wish: Wish, scene: Scene) -> Decision:
    if not candidates:
        raise GoalError(f"no block is left for that; on the table: {', '.join(scene.names) or 'nothing'}")
    *others, last = [f"the {name.split()[0]} one" for name in candidates]
    return Decision(question=f"Which block: {', '.join(others)} or {last}?")


def _filled(stages: Sequence[Stage], name: str) -> tuple[Stage, ...]:
    def fill(wish: Wish) -> Wish:
        return Wish(wish.family, Selection((name,)), wish.target) if wish.objects.vague else wish

    return tuple(tuple(fill(wish) for wish in stage) for stage in stages)


def _worked_off(stages: Sequence[Stage]) -> tuple[Stage, ...]:
    """Leave out wishes whose every named object a correction dropped."""
    kept = (tuple(w for w in stage if w.objects.everything or w.objects.resolve(())) for stage in stages)
    return tuple(stage for stage in kept if stage)


def create(config: PlannerConfig) -> SymbolsPlanner:
    """Factory of the entry point `symbols`."""
    return SymbolsPlanner(config.vocabulary)
