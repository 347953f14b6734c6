# SPDX-License-Identifier: Apache-2.0
"""Figures over episodes of goals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from statistics import median
from typing import Any

from vla_training.evaluate.command import wilson
from vla_training.evaluate.goals.episode import GoalResult, Judged


def summarise(results: Sequence[GoalResult]) -> dict[str, Any]:
    """Return the report: rates with 95 % Wilson intervals, F1 of the judgements, and every episode."""
    judged = [each for result in results for each in result.judged]
    steps = [each for each in judged if each.kind == "done"]
    decisions = sorted(seconds for result in results for seconds in result.decision_seconds)
    return {
        "plan_success": _rate([r.planned for r in results]),
        "execution_success": _rate([r.success for r in results]),
        "by_length": {
            length: {
                "episodes": len(group),
                "plan_success": _rate([r.planned for r in group]),
                "execution_success": _rate([r.success for r in group]),
                "progress": _mean([r.progress for r in group]),
                "steps_in_a_row": _mean([float(r.steps_in_row) for r in group]),
            }
            for length in dict.fromkeys(r.length or "own" for r in results)
            if (group := [r for r in results if (r.length or "own") == length])
        },
        "progress": _mean([r.progress for r in results]),
        "recoveries": recoveries(results),
        "false_done": _share([e for e in steps if e.said], lambda e: not e.true),
        "false_failed": _share([e for e in steps if not e.said], lambda e: e.true),
        "false_finished": sum(r.code == "FINISHED" and not r.success for r in results),
        "failure_f1": f1([(not e.said, not e.true) for e in judged if e.kind != "possible"]),
        "affordance_f1": f1([(e.said, e.true) for e in judged if e.kind == "possible"]),
        "seconds_per_decision": {
            "median": median(decisions) if decisions else None,
            "p95": decisions[int(0.95 * (len(decisions) - 1))] if decisions else None,
        },
        "codes": {code: sum(r.code == code for r in results) for code in dict.fromkeys(r.code for r in results)},
        "episodes": [asdict(result) for result in results],
    }


def recoveries(results: Sequence[GoalResult]) -> dict[str, int]:
    """Return how many episodes were disturbed or had a failed step, and how many of those reached the goal."""
    hurt = [r for r in results if r.disturbance or any(e.kind == "done" and not e.true for e in r.judged)]
    disturbed = [r for r in results if r.disturbance]
    return {
        "disturbed": len(disturbed),
        "disturbed_and_reached": sum(r.success for r in disturbed),
        "with_a_setback": len(hurt),
        "with_a_setback_and_reached": sum(r.success for r in hurt),
    }


def f1(pairs: Sequence[tuple[bool, bool]]) -> float | None:
    """Return F1 of pairs (said, true) for the class that is True; None where that class does not occur."""
    hits = sum(said and true for said, true in pairs)
    said, true = sum(said for said, _ in pairs), sum(true for _, true in pairs)
    return 2 * hits / (said + true) if said + true else None


def _rate(outcomes: Sequence[bool]) -> dict[str, Any]:
    good = sum(outcomes)
    return {"rate": good / len(outcomes) if outcomes else None, "interval_95": wilson(good, len(outcomes))}


def _share(judged: Sequence[Judged], wrong: Any) -> dict[str, int]:
    return {"wrong": sum(bool(wrong(each)) for each in judged), "of": len(judged)}


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
