# SPDX-License-Identifier: Apache-2.0
"""`vla bench planner`: hosted minds against a server on this machine whose model is an adversary. Writes JSON."""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from vla_core.hosted.stub import KEY, Stub, serving

from vla_planner import gemini, openai
from vla_planner.bench.adversary import Adversary
from vla_planner.bench.trial import GOALS, Outcome, run_goal, scenes
from vla_planner.planner import Planner, PlannerConfig

LIMITS = {"timeout": "1.0", "retries": "1", "input_price": "0.3", "output_price": "2.5"}
MINDS: Mapping[str, Callable[[Stub], Planner]] = {
    "gemini": lambda stub: gemini.create(PlannerConfig(options={"url": stub.url, **LIMITS})),
    "gemini functions": lambda stub: gemini.create(
        PlannerConfig(options={"url": stub.url, "form": "functions", **LIMITS})
    ),
    "openai": lambda stub: openai.create(PlannerConfig(options={"url": f"{stub.url}/v1", "model": "stub", **LIMITS})),
}


@contextmanager
def stub_key() -> Iterator[None]:
    """Give the minds the server's key, and no other, in the environment."""
    names = ("GEMINI_API_KEY", "OPENAI_API_KEY")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, KEY))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            os.environ.update({name: value} if value is not None else {})


def measure(name: str, replies: int, seed: int) -> dict[str, Any]:
    """Have the mind called `name` work on goals until the server has replied that often; return the figures."""
    rng, adversary, outcome = random.Random(seed), Adversary(seed), Outcome()
    with stub_key(), serving(adversary) as stub:
        mind = MINDS[name](stub)
        for table in scenes(rng):
            if len(stub.asked) >= replies:
                break
            run_goal(mind, rng.choice(GOALS), table, rng, outcome)
        return _figures(mind, len(stub.asked), adversary, outcome)


def _figures(mind: Planner, replies: int, adversary: Adversary, outcome: Outcome) -> dict[str, Any]:
    shown = [text for text in outcome.texts if KEY in text]
    return {
        "replies": replies,
        "replies_by_kind": dict(sorted(adversary.served.items())),
        "goals": outcome.goals,
        "goals_by_code": dict(sorted(outcome.codes.items())),
        "steps_executed": outcome.steps,
        "illegal_steps_executed": len(outcome.illegal),
        "illegal_steps": outcome.illegal[:10],
        "keys_in_messages": len(shown),
        "seconds_per_decision": round(statistics.median(outcome.seconds), 4),
        "seconds_per_decision_most": round(max(outcome.seconds), 3),
        "requests": mind.usage.requests,
        "input_tokens": mind.usage.input_tokens,
        "output_tokens": mind.usage.output_tokens,
        "cost_usd": round(mind.usage.cost, 6),
    }


def main(args: list[str] | None = None) -> int:
    """Run the bench; the exit status is 1 where an illegal step was executed."""
    parser = argparse.ArgumentParser("vla bench planner", description=__doc__)
    parser.add_argument("--replies", type=int, default=500, help="of the server, for each mind (500)")
    parser.add_argument("--seed", type=int, default=0, help="of tables, goals and replies (0)")
    parser.add_argument("--planner", choices=[*MINDS, "all"], default="all", help="the mind (all)")
    given = parser.parse_args(args)
    if given.replies < 1:
        parser.error(f"--replies is {given.replies}; valid: 1 and more")
    names = list(MINDS) if given.planner == "all" else [given.planner]
    minds = {name: measure(name, given.replies, given.seed) for name in names}
    illegal = sum(figures["illegal_steps_executed"] for figures in minds.values())
    print(json.dumps({"seed": given.seed, "illegal_steps_executed": illegal, "minds": minds}, indent=2))
    return 1 if illegal else 0


if __name__ == "__main__":
    sys.exit(main())
