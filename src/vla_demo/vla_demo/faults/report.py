# SPDX-License-Identifier: Apache-2.0
"""The runs as JSON and as a table for the documentation."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vla_demo.faults.case import Case
from vla_demo.faults.judge import Run

LONGEST_TEXT = 90
MOTION = 0.05  # [rad/s] from which a fault counts as one in motion


def summary(cases: Sequence[Case], runs: Sequence[Run]) -> dict[str, Any]:
    """Return the figures: runs, as promised, the longest time to rest where it is promised, violations, by fault."""
    rests = {case.name: case.rests for case in cases}
    times = [run.rest_s for run in runs if rests.get(run.case) and run.rest_s is not None]
    return {
        "runs": len(runs),
        "faults": len({run.case for run in runs}),
        "as_promised": sum(not run.violations for run in runs),
        "held_up": sum(run.held_up_s > 0.0 for run in runs),
        "in_motion": sum(run.speed >= MOTION for run in runs),
        "longest_to_rest_s": max(times, default=None),
        "violations": [f"{run.case}, seed {run.seed}: {text}" for run in runs for text in run.violations],
        "by_fault": {case.name: _fault(case, [run for run in runs if run.case == case.name]) for case in cases},
    }


def _fault(case: Case, runs: Sequence[Run]) -> dict[str, Any]:
    times = [run.rest_s for run in runs if run.rest_s is not None]
    return {
        "runs": len(runs),
        "as_promised": sum(not run.violations for run in runs),
        "must_rest_within_s": case.within if case.rests else None,
        "longest_to_rest_s": max(times, default=None),
        "recovery": sorted({run.recovery for run in runs}),
        "said": next((run.said for run in runs if run.said), ""),
        "violations": sorted({text for run in runs for text in run.violations}),
    }


def merge(old: Sequence[Mapping[str, Any]], new: Sequence[Run]) -> list[Run]:
    """Return runs of earlier calls with those of this one, which replace them case by case and seed by seed."""
    done = {(run.case, run.seed) for run in new}
    kept = [Run(**{**row, "violations": tuple(row["violations"])}) for row in old]
    return [*(run for run in kept if (run.case, run.seed) not in done), *new]


def write_json(path: Path, figures: Mapping[str, Any], runs: Sequence[Run]) -> None:
    """Write the figures and every run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**figures, "all_runs": [asdict(run) for run in runs]}, indent=1) + "\n", "utf-8")


def table(cases: Sequence[Case], figures: Mapping[str, Any]) -> str:
    """Return the rows of the documentation's table, in Markdown."""
    rows = [
        "| fault | promised | kept | at rest after | moves again | reported |",
        "|---|---|---|---|---|---|",
    ]
    for case in cases:
        found = figures["by_fault"][case.name]
        after = " after the budget" if case.after_budget else ""
        promised = f"rest within {case.within:g} s{after}" if case.rests else "inside the limits"
        rest = "" if found["longest_to_rest_s"] is None or not case.rests else f"{found['longest_to_rest_s']:.2f} s"
        cells = (
            case.name,
            promised,
            f"{found['as_promised']} of {found['runs']}",
            rest,
            ", ".join(found["recovery"]),
            _short(found["said"]) if case.said else "",
        )
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def _short(text: str) -> str:
    text = text.replace("|", "/").replace("\n", " ").replace("<", "(").replace(">", ")")
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…"
