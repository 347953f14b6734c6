# SPDX-License-Identifier: Apache-2.0
"""`vla eval`: closed-loop success in lockstep, with the classes that the nodes use."""

from __future__ import annotations

import argparse
import json
import math
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binomtest
from vla_core.arguments import add_settings
from vla_core.files import write_text
from vla_policy.loading import OPTIONS, load_observation_map, load_policy, policy_config, policy_settings
from vla_policy.policy import Policy
from vla_policy.run.state import State
from vla_policy.settings import Settings
from vla_sim.task.task import FAMILIES, SuccessTest
from vla_sim.variation.axes import VariationError
from vla_sim.variation.variation import Variation, parse_variation
from vla_sim.world.dressing import Dressing
from vla_sim.world.layout import sample_layout, sample_task
from vla_sim.world.robots import get_robot

from vla_training.data.command import check_families
from vla_training.data.language import load_templates
from vla_training.evaluate.episode import act
from vla_training.evaluate.lockstep import INSTRUCTION_ID, Lockstep, LockstepSettings
from vla_training.evaluate.place import Place
from vla_training.evaluate.policy_driver import PolicyDriver
from vla_training.rt1.card import add_measured, check_card
from vla_training.run.arguments import Parser, add_vary, natural, positive
from vla_training.run.parallel import run_in_order

TIME_LIMIT = 30.0  # [s] of simulated time for one episode


@dataclass(frozen=True, slots=True)
class EvalSettings:
    """What is evaluated. `templates`: family -> the caller's own wordings; empty uses each family's first wording."""

    policy: Settings = field(default_factory=lambda: policy_settings("rt1", "fr3", threads=1))
    seed: int = 7
    families: tuple[str, ...] = FAMILIES
    templates: Mapping[str, Sequence[str]] | None = None
    image_size: tuple[int, int] = (128, 160)
    time_limit: float = 0.0  # [s] of simulated time for one episode; 0: TIME_LIMIT
    variation: Variation = field(default_factory=Variation)


@dataclass(frozen=True, slots=True)
class EpisodeResult:
    """One episode. `seconds`: simulated time until success or the end; `terminated`: the policy said it was done.

    `reason`: why the policy ended, as in its status; `refusals`: what the controller refused or changed, by name.
    """

    index: int
    family: str
    instruction: str
    success: bool
    seconds: float
    terminated: bool
    reason: str = ""
    refusals: Mapping[str, int] = field(default_factory=dict)


class Evaluator:
    """Runs numbered episodes: the same seed and index give the same table, whatever the policy."""

    def __init__(
        self, settings: EvalSettings, lockstep: LockstepSettings | None = None, policy: Policy | None = None
    ) -> None:
        """`lockstep` and `policy`: other ones than the settings' name. Raises PolicyError (unknown, unusable)."""
        self.settings = settings
        self._driver = PolicyDriver(settings.policy, policy)
        policy, mapped = self._driver.policy, load_observation_map(settings.policy)
        self._place = Place(
            settings.policy.robot,
            policy.image_size or settings.image_size,
            lockstep or LockstepSettings(policy_period=1.0 / settings.policy.rate),
            mapped.cameras if mapped else (),
            rendered=not policy.uses_scene,
        )

    @property
    def lockstep(self) -> Lockstep:
        """The world that takes turns with the policy."""
        return self._place.lockstep

    def run(self, index: int) -> EpisodeResult:
        """Lay the table, give the instruction, act until the success test holds or time is up."""
        rng = np.random.default_rng([self.settings.seed, index])
        task = sample_task(rng, self.settings.families[index % len(self.settings.families)])
        layout = sample_layout(self._place.robot, task, rng)
        drawn = self.settings.variation.draw([self.settings.seed, index])
        self._place.lay(layout, Dressing(), drawn, index)
        world = self.lockstep.world
        wordings = (self.settings.templates or {}).get(task.family)
        text = task.text(str(rng.choice(list(wordings))) if wordings else None)
        self._driver.begin(INSTRUCTION_ID, text, world.time)
        test, began = SuccessTest(world, task), world.time
        success = act(self._driver, self.lockstep, test, self.settings.time_limit or TIME_LIMIT)
        status = self._driver.status
        return EpisodeResult(
            index,
            task.family,
            text,
            success,
            round(world.time - began, 2),
            status.state is State.DONE,
            status.reason,
            {name: count for name, count, _ in self.lockstep.controller.log.entries()},
        )

    def close(self) -> None:
        """Free policy and renderer."""
        self._driver.close()
        self._place.close()


def evaluate(settings: EvalSettings, episodes: int, workers: int = 1) -> Generator[EpisodeResult, None, None]:
    """Results in order of their index. Raises PolicyError (unknown policy, unusable checkpoint) before any."""
    if workers > 1:  # here, so that a refusal comes before any process starts
        load_policy(settings.policy).close()
    yield from run_in_order(partial(Evaluator, settings), range(episodes), workers)


def summarise(settings: EvalSettings, results: Sequence[EpisodeResult]) -> dict[str, Any]:
    """The report: success rates with 95 % Wilson intervals, and every episode."""
    families = {family: [r for r in results if r.family == family] for family in dict.fromkeys(settings.families)}
    return {
        "policy": settings.policy.policy,
        "robot": settings.policy.robot,
        "checkpoint": settings.policy.checkpoint,
        "observation_map": settings.policy.observation_map,
        "options": policy_config(settings.policy).options,
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
        "refusals": dict(sum((Counter(result.refusals) for result in results), Counter())),
        "episodes": [asdict(result) for result in results],
    }


def _rate(results: Sequence[EpisodeResult]) -> float:
    return sum(r.success for r in results) / len(results) if results else math.nan


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """Return the 95 % Wilson score interval of a proportion (Wilson 1927); 0 to 1 without trials."""
    if trials == 0:
        return 0.0, 1.0
    interval = binomtest(successes, trials).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `vla eval`; returns the exit status."""
    arguments = _parser().parse_args(argv)
    names = (*OPTIONS, "narrow", "checkpoint", "device", "rate", "observation_map")
    options = {name: getattr(arguments, name) for name in names}
    robot = get_robot(arguments.robot).name
    settings = EvalSettings(
        policy_settings(arguments.policy, robot, threads=1, **options),
        arguments.seed,
        check_families(arguments.families),
        load_templates(arguments.instructions) if arguments.instructions else None,
        variation=parse_variation(arguments.vary),
    )
    if arguments.card and arguments.vary:
        raise VariationError("--card takes figures of the plain table; --vary and --card are not used together")
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
    report["vary"] = arguments.vary
    write_text(arguments.out, json.dumps(report, indent=1) + "\n")
    _print_summary(report, arguments.out)
    if arguments.card:
        print(f"written: {add_measured(arguments.card, report)}")
    return 0


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
    parser.add_argument(
        "--map",
        dest="observation_map",
        default="",
        help="observation map: name or .yaml; empty: the front camera alone",
    )
    parser.add_argument("--episodes", type=positive, default=100)
    parser.add_argument("--seed", type=natural, default=7)
    parser.add_argument("--families", nargs="+", default=list(FAMILIES), metavar="FAMILY", help=", ".join(FAMILIES))
    parser.add_argument("--instructions", type=Path, help="YAML: family -> list of templates with placeholders")
    add_vary(parser)
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"), help="where the policy computes")
    parser.add_argument("--rate", type=float, default=5.0, help="inferences per simulated second [Hz] (default 5)")
    add_settings(parser, Settings, (*OPTIONS, "narrow"))
    parser.add_argument("--workers", type=positive, default=1, help="processes")
    parser.add_argument("--out", type=Path, default=Path("out/eval.json"))
    parser.add_argument("--card", type=Path, metavar="DIR", help="checkpoint whose model card gets the figures as well")
    return parser
