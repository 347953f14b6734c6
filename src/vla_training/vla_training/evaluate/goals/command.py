# SPDX-License-Identifier: Apache-2.0
"""`vla eval goals`: goals of several steps, closed loop in lockstep, with the shipped policy."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
from vla_core.files import write_text
from vla_perception.scene.detector import SceneDetector
from vla_planner.planner import PlannerConfig
from vla_planner.registry import create
from vla_planner.settings import ExecutiveSettings
from vla_policy.loading import policy_settings
from vla_sim.world.camera import Camera
from vla_sim.world.robots import get_robot
from vla_sim.world.world import World

from vla_training.evaluate.goals.cases import LENGTHS, GoalCase, load_cases, sample_case
from vla_training.evaluate.goals.episode import GoalResult, GoalRunner
from vla_training.evaluate.goals.eyes import Eyes
from vla_training.evaluate.goals.measures import summarise
from vla_training.run.arguments import Parser, natural, positive
from vla_training.run.parallel import run_in_order

EYES = ("scene", "truth")


@dataclass(frozen=True, slots=True)
class GoalEvalSettings:
    """What is evaluated. sight: scene (the network on pictures) or truth (the simulator's poses, for comparison)."""

    planner: str = "symbols"
    options: tuple[tuple[str, str], ...] = ()
    robot: str = "fr3"
    policy: str = "rt1"
    checkpoint: str = ""
    seed: int = 7
    lengths: tuple[str, ...] = ("3-5", "6-10")
    goals: tuple[GoalCase, ...] = ()
    disturb: bool = False
    sight: str = "scene"
    executive: ExecutiveSettings = field(default_factory=ExecutiveSettings)


class GoalEvaluator:
    """Runs numbered episodes; makes mind, policy, world and eyes once."""

    def __init__(self, settings: GoalEvalSettings) -> None:
        self._settings = settings
        self._planner = create(settings.planner, PlannerConfig(settings.robot, options=dict(settings.options)))
        self._world = World(settings.robot)
        self._camera = Camera(self._world)
        detector = SceneDetector(threads=1) if settings.sight == "scene" else None
        policy = policy_settings(settings.policy, settings.robot, threads=1, checkpoint=settings.checkpoint)
        eyes = Eyes(self._world, self._camera, detector)
        self._runner = GoalRunner(self._planner, policy, settings.executive, self._world, eyes, self._camera)

    def run(self, index: int) -> GoalResult:
        """Run one episode."""
        settings = self._settings
        rng = np.random.default_rng([settings.seed, 16, index])
        if settings.goals:
            case = settings.goals[index % len(settings.goals)]
        else:
            case = sample_case(rng, settings.lengths[index % len(settings.lengths)], self._world.robot)
        return self._runner.run(case, index, settings.seed, settings.disturb)

    def close(self) -> None:
        """Free everything."""
        self._runner.close()
        self._planner.close()
        self._camera.close()


def evaluate(settings: GoalEvalSettings, episodes: int, workers: int = 1) -> Iterator[GoalResult]:
    """Yield results in order of their index. Raises PlannerError and PolicyError before any."""
    yield from run_in_order(partial(GoalEvaluator, settings), range(episodes), workers)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `vla eval goals`; returns the exit status."""
    arguments = _parser().parse_args(argv)
    options = tuple((name, value) for name, _, value in (word.partition("=") for word in arguments.option))
    settings = GoalEvalSettings(
        planner=arguments.planner,
        options=options,
        robot=get_robot(arguments.robot).name,
        policy=arguments.policy,
        checkpoint=arguments.checkpoint,
        seed=arguments.seed,
        lengths=tuple(arguments.lengths),
        goals=load_cases(arguments.goals) if arguments.goals else (),
        disturb=arguments.disturb,
        sight=arguments.sight,
        executive=replace(ExecutiveSettings(), replan=not arguments.no_replan),
    )
    results: list[GoalResult] = []
    for result in evaluate(settings, arguments.episodes, arguments.workers):
        results.append(result)
        mark = "success" if result.success else "FAILED "
        reached = sum(each.success for each in results)
        print(
            f"{len(results):4d}/{arguments.episodes} {mark} {result.seconds:6.1f} s  {result.code:9s} "
            f"{result.goal[:90]}   so far {100 * reached / len(results):.0f} %",
            flush=True,
        )
        _write(arguments, settings, results)
    report = summarise(results)
    for length, row in report["by_length"].items():
        print(f"{length:6s} execution {100 * row['execution_success']['rate']:5.1f} % of {row['episodes']}")
    print(f"failure F1 {report['failure_f1']}, affordance F1 {report['affordance_f1']} -> {arguments.out}")
    return 0


def _write(arguments: Namespace, settings: GoalEvalSettings, results: Sequence[GoalResult]) -> None:
    """Write the report so far, so that a run that is stopped leaves its figures."""
    about = {
        "planner": settings.planner,
        "policy": settings.policy,
        "robot": settings.robot,
        "sight": settings.sight,
        "seed": settings.seed,
        "disturb": settings.disturb,
        "replan": settings.executive.replan,
        "goals": str(arguments.goals or ""),
    }
    write_text(arguments.out, json.dumps(about | summarise(results), indent=1) + "\n")


def _parser() -> Parser:
    parser = Parser(prog="vla eval goals", description=__doc__)
    parser.add_argument("--planner", default="symbols", help="symbols (default), gemini, openai, ...")
    parser.add_argument(
        "--option", action="append", default=[], metavar="NAME=VALUE", help="of the planner; repeatable"
    )
    parser.add_argument("--episodes", type=positive, default=100)
    parser.add_argument("--seed", type=natural, default=7)
    parser.add_argument("--goals", type=Path, metavar="F.yaml", help="own goals: a list of {goal, done: [conditions]}")
    parser.add_argument(
        "--lengths", nargs="+", default=["3-5", "6-10"], choices=tuple(LENGTHS), help="numbers of steps"
    )
    parser.add_argument("--disturb", action="store_true", help="one seeded disturbance an episode")
    parser.add_argument("--no-replan", action="store_true", help="execute the first plan whatever happens")
    parser.add_argument("--sight", default="scene", choices=EYES, help="pictures (default) or true poses")
    parser.add_argument("--policy", default="rt1", help="what executes the steps (default rt1)")
    parser.add_argument("--checkpoint", default="", help="of the policy; empty: the robot's shipped one")
    parser.add_argument("--robot", default="fr3", help="fr3 (default) or wx250s")
    parser.add_argument("--workers", type=positive, default=1, help="processes")
    parser.add_argument("--out", type=Path, default=Path("out/goals.json"))
    return parser
