# SPDX-License-Identifier: Apache-2.0
"""`vla eval`: closed-loop success in lockstep, with the classes that the nodes use."""

from __future__ import annotations

import argparse
import json
import math
import os
from collections.abc import Generator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from vla_policy.policy import Policy, PolicyConfig
from vla_policy.registry import create as create_policy
from vla_sim.task.task import FAMILIES, SuccessTest
from vla_sim.world.camera import Camera
from vla_sim.world.layout import sample_layout, sample_task
from vla_sim.world.robots import get_robot
from vla_sim.world.world import World

from vla_training.data.command import check_families
from vla_training.data.language import load_templates
from vla_training.evaluate.lockstep import Lockstep, LockstepSettings
from vla_training.rt1.card import add_measured, check_card
from vla_training.run.arguments import Parser, natural, positive
from vla_training.run.parallel import run_in_order

TIME_LIMIT = 30.0  # [s] of simulated time for one episode


@dataclass(frozen=True, slots=True)
class EvalSettings:
    """What is evaluated. `templates`: family -> the caller's own wordings; empty uses each family's first wording."""

    policy: str = "rt1"
    robot: str = "fr3"
    checkpoint: str = ""
    seed: int = 7
    families: tuple[str, ...] = FAMILIES
    templates: Mapping[str, Sequence[str]] | None = None
    image_size: tuple[int, int] = (128, 160)

    @property
    def policy_config(self) -> PolicyConfig:
        """What the policy is made with."""
        return PolicyConfig(checkpoint=self.checkpoint, robot=self.robot, threads=1)


@dataclass(frozen=True, slots=True)
class EpisodeResult:
    """One episode. `seconds`: simulated time until success or the end; `terminated`: the policy said it was done."""

    index: int
    family: str
    instruction: str
    success: bool
    seconds: float
    terminated: bool


class Evaluator:
    """Runs numbered episodes: the same seed and index give the same table, whatever the policy."""

    def __init__(self, settings: EvalSettings) -> None:
        """Raises PolicyError (unknown policy, unusable checkpoint)."""
        self.settings = settings
        self._policy: Policy = create_policy(settings.policy, settings.policy_config)
        self._world = World(settings.robot)
        needs_picture = not self._policy.uses_scene
        self._camera = Camera(self._world) if needs_picture else None
        size = self._policy.image_size or settings.image_size
        self._lockstep = Lockstep(self._world, self._camera, size, LockstepSettings())

    def run(self, index: int) -> EpisodeResult:
        """Lay the table, give the instruction, act until the success test holds or time is up."""
        rng = np.random.default_rng([self.settings.seed, index])
        task = sample_task(rng, self.settings.families[index % len(self.settings.families)])
        self._lockstep.forget()
        sample_layout(self._world.robot, task, rng).apply(self._world)
        wordings = (self.settings.templates or {}).get(task.family)
        text = task.text(str(rng.choice(list(wordings))) if wordings else None)
        self._lockstep.start()
        self._policy.reset(text)
        test, began, terminated, success = SuccessTest(self._world, task), self._world.time, False, False
        while not success and self._world.time - began < TIME_LIMIT:
            observation = self._lockstep.observe(scene=self._policy.uses_scene, image=self._camera is not None)
            chunk = self._policy.infer(observation)
            terminated = terminated or chunk.terminate
            self._lockstep.apply(observation, chunk)
            success = test.update()
        return EpisodeResult(index, task.family, text, success, round(self._world.time - began, 2), terminated)

    def close(self) -> None:
        """Free policy and renderer."""
        self._policy.close()
        if self._camera is not None:
            self._camera.close()


def evaluate(settings: EvalSettings, episodes: int, workers: int = 1) -> Generator[EpisodeResult, None, None]:
    """Results in order of their index. Raises PolicyError (unknown policy, unusable checkpoint) before any."""
    if workers > 1:  # here, so that a refusal comes before any process starts
        create_policy(settings.policy, settings.policy_config).close()
    yield from run_in_order(partial(Evaluator, settings), range(episodes), workers)


def summarise(settings: EvalSettings, results: Sequence[EpisodeResult]) -> dict[str, Any]:
    """The report: success rates with 95 % Wilson intervals, and every episode."""
    families = {family: [r for r in results if r.family == family] for family in dict.fromkeys(settings.families)}
    return {
        "policy": settings.policy,
        "robot": settings.robot,
        "checkpoint": settings.checkpoint,
        "seed": settings.seed,
        "success_rate": _rate(results),
        "interval_95": wilson(sum(r.success for r in results), len(results)),
        "per_family": {
            family: {
                "success_rate": _rate(group),
                "episodes": len(group),
                "interval_95": wilson(sum(r.success for r in group), len(group)),
            }
            for family, group in families.items()
            if group
        },
        "episodes": [asdict(result) for result in results],
    }


def _rate(results: Sequence[EpisodeResult]) -> float:
    return sum(r.success for r in results) / len(results) if results else math.nan


def wilson(successes: int, trials: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson score interval of a proportion (Wilson 1927)."""
    if trials == 0:
        return 0.0, 1.0
    share, spread = successes / trials, z * z / trials
    centre = (share + spread / 2) / (1 + spread)
    half = z * math.sqrt(share * (1 - share) / trials + spread / (4 * trials)) / (1 + spread)
    return max(0.0, centre - half), min(1.0, centre + half)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `vla eval`; returns the exit status."""
    arguments = _parser().parse_args(argv)
    settings = EvalSettings(
        arguments.policy,
        get_robot(arguments.robot).name,
        arguments.checkpoint,
        arguments.seed,
        check_families(arguments.families),
        load_templates(arguments.instructions) if arguments.instructions else None,
    )
    if arguments.card:
        check_card(arguments.card)
    results: list[EpisodeResult] = []
    for result in evaluate(settings, arguments.episodes, arguments.workers):
        results.append(result)
        mark = "success" if result.success else "FAILED "
        print(
            f"{len(results):4d}/{arguments.episodes} {mark} {result.seconds:5.1f} s  {result.instruction}"
            f"   so far {100 * _rate(results):.0f} %",
            flush=True,
        )
    report = summarise(settings, results)
    report["instructions"] = str(arguments.instructions or "")
    _write(arguments.out, report)
    _print_summary(report, arguments.out)
    if arguments.card:
        print(f"written: {add_measured(arguments.card, report)}")
    return 0


def _write(path: Path, report: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    os.replace(temporary, path)


def _print_summary(report: dict[str, Any], path: Path) -> None:
    for family, row in report["per_family"].items():
        print(f"{family:6s} {100 * row['success_rate']:5.1f} % of {row['episodes']}")
    low, high = report["interval_95"]
    print(
        f"all    {100 * report['success_rate']:5.1f} % (95 % interval {100 * low:.0f} to {100 * high:.0f} %) -> {path}"
    )


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="vla eval", description=__doc__)
    parser.add_argument("--policy", default="rt1", help="rt1, expert, replay or any registered policy")
    parser.add_argument("--robot", default="fr3", help="fr3 (default) or wx250s")
    parser.add_argument("--checkpoint", default="", help="folder or shipped name; empty: the robot's shipped one")
    parser.add_argument("--episodes", type=positive, default=100)
    parser.add_argument("--seed", type=natural, default=7)
    parser.add_argument("--families", nargs="+", default=list(FAMILIES), metavar="FAMILY", help=", ".join(FAMILIES))
    parser.add_argument("--instructions", type=Path, help="YAML: family -> list of templates with placeholders")
    parser.add_argument("--workers", type=positive, default=1, help="processes")
    parser.add_argument("--out", type=Path, default=Path("out/eval.json"))
    parser.add_argument("--card", type=Path, metavar="DIR", help="checkpoint whose model card gets the figures as well")
    return parser
