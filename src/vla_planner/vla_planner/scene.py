# SPDX-License-Identifier: Apache-2.0
"""The symbolic state that minds plan on: the perceived scene, and whether what a step is to bring about is so."""

from __future__ import annotations

from dataclasses import dataclass

from vla_core.scene import Position, SceneRules, SeenObject
from vla_core.scene import Scene as PerceivedScene

from vla_planner.vocabulary import NEAR, PICK, PLACE, PUSH, Step

__all__ = ["Position", "Scene", "SceneRules", "SeenObject"]


@dataclass(frozen=True, slots=True)
class Scene(PerceivedScene):
    """What is on the table, for a planner."""

    def holds(self, step: Step) -> bool:
        """Whether what a step is to bring about is so now."""
        if step.object not in self.objects:
            return False
        return {
            PICK: lambda: self.lifted(step.object),
            PLACE: lambda: self.inside(step.object, step.target),
            NEAR: lambda: self.next_to(step.object, step.target),
            PUSH: lambda: self.side(step.object) == step.target and self.held != step.object,
        }[step.family]()
