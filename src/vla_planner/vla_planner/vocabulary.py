# SPDX-License-Identifier: Apache-2.0
"""The closed vocabulary of steps: the instructions that the policy was trained on, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from vla_planner.errors import StepError

PICK, PLACE, NEAR, PUSH = "pick", "place", "near", "push"
_TEMPLATES: Mapping[str, str] = {
    PICK: "pick up the {object}",
    PLACE: "put the {object} in the {target}",
    NEAR: "move the {object} next to the {target}",
    PUSH: "push the {object} to the {target}",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction: a family, its object, and its target (a container, an object or a side; empty for pick)."""

    family: str
    object: str
    target: str = ""

    @property
    def text(self) -> str:
        """The instruction as the policy is given it."""
        return _TEMPLATES[self.family].format(object=self.object, target=self.target)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Names that steps may use. movable: what can be grasped; containers: what holds it; sides: the robot's own."""

    movable: tuple[str, ...] = ("red block", "green block", "blue block", "yellow block", "purple block")
    containers: tuple[str, ...] = ("bowl",)
    sides: tuple[str, ...] = ("left", "right")
    families: tuple[str, ...] = field(default=tuple(_TEMPLATES))

    @property
    def objects(self) -> tuple[str, ...]:
        """Everything that can lie on the table and be named."""
        return (*self.movable, *self.containers)

    def targets(self, family: str, name: str) -> tuple[str, ...]:
        """Return the valid targets of a family for the object `name`; a single empty text for pick."""
        others = tuple(other for other in self.movable if other != name)
        return {PICK: ("",), PLACE: self.containers, NEAR: others, PUSH: self.sides}[family]

    def steps(self, present: Sequence[str]) -> Iterator[Step]:
        """Yield every step whose object and target are among `present`, in a fixed order."""
        for family in self.families:
            for name in self.movable:
                for target in self.targets(family, name):
                    step = Step(family, name, target)
                    if not self.absent(step, present):
                        yield step

    def absent(self, step: Step, present: Sequence[str]) -> tuple[str, ...]:
        """Return the names in a step that are not among `present`."""
        named = [step.object] + ([step.target] if step.target in self.objects else [])
        return tuple(name for name in named if name not in present)

    def parse(self, text: str) -> Step:
        """Return the step that an instruction in the exact wording of `Step.text` stands for.

        Raises:
            StepError: any other text; it lists the valid forms and names.
        """
        words = re.sub(r"\s+", " ", text.strip().lower()).rstrip(".!")
        for family, template in _TEMPLATES.items():
            match = re.fullmatch(_pattern(template), words)
            if match is not None:
                return self.checked(Step(family, match["object"], match.groupdict().get("target") or ""))
        raise StepError(f"step {text[:80]!r} is not an instruction of the policy; valid: {self.describe()}")

    def checked(self, step: Step) -> Step:
        """Return the step. Raises StepError where a name in it is outside the vocabulary."""
        if step.family not in self.families:
            raise StepError(f"family {step.family[:40]!r} is unknown; valid: {', '.join(self.families)}")
        if step.object not in self.movable:
            raise StepError(f"{step.object[:40]!r} cannot be moved; valid: {', '.join(self.movable)}")
        valid = self.targets(step.family, step.object)
        if step.target not in valid:
            raise StepError(f"{step.family}: target {step.target[:40]!r} is unknown; valid: {', '.join(valid)}")
        return step

    def describe(self) -> str:
        """Return the valid forms and names in one line."""
        forms = "; ".join(_TEMPLATES[family] for family in self.families)
        return (
            f"{forms}; with objects {', '.join(self.movable)}; containers {', '.join(self.containers)}; "
            f"sides {', '.join(self.sides)}"
        )


TABLETOP = Vocabulary()


def _pattern(template: str) -> str:
    return template.replace("{object}", r"(?P<object>[a-z ]+?)").replace("{target}", r"(?P<target>[a-z ]+)")
