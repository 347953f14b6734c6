# SPDX-License-Identifier: Apache-2.0
"""The report of an evaluation: by table and cell, and in the forms of lerobot-eval and vla-eval."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from vla_training.evaluate.command import wilson
from vla_training.evaluate.tables.cells import Table
from vla_training.evaluate.tables.runner import Row

Report = dict[str, Any]
VLA_EVAL = "0.8.0"  # the version whose aggregate file `vla_eval_form` follows
LEROBOT = "0.6"  # the version whose eval_info.json `lerobot_form` follows


def summarise(conditions: Mapping[str, Any], tables: Sequence[Table], rows: Sequence[Row]) -> Report:
    """Return rates with 95 % Wilson intervals by table and cell, with the papers' rates beside them."""
    by_cell: dict[str, list[Row]] = {}
    for row in rows:
        by_cell.setdefault(row.cell, []).append(row)
    return {
        **conditions,
        "tables": {
            table.name: {
                "title": table.title,
                "paper": table.paper,
                "cells": {name: _cell(by_cell.get(cell.digest, [])) for name, cell in table.cells.items()},
            }
            for table in tables
        },
    }


def _cell(rows: Sequence[Row]) -> Report:
    ordered = sorted(rows, key=lambda row: row.index)
    families = dict.fromkeys(row.family for row in ordered)
    return {
        **_rate(ordered),
        "per_family": {name: _rate([row for row in ordered if row.family == name]) for name in families},
        "episodes": [asdict(row) for row in ordered],
    }


def _rate(rows: Sequence[Row]) -> Report:
    right = sum(row.success for row in rows)
    low, high = wilson(right, len(rows))
    return {
        "success_rate": right / len(rows) if rows else None,
        "successes": right,
        "episodes_run": len(rows),
        "interval_95": [round(low, 4), round(high, 4)],
    }


def lerobot_form(report: Report) -> Report:
    """Return the report as lerobot-eval writes eval_info.json: a group a table, a task a cell."""
    tasks = [
        {"task_group": table, "task_id": number, "task": name, "metrics": _metrics(cell["episodes"])}
        for table, entry in report["tables"].items()
        for number, (name, cell) in enumerate(entry["cells"].items())
    ]
    groups = {
        table: _aggregate([row for cell in entry["cells"].values() for row in cell["episodes"]])
        for table, entry in report["tables"].items()
    }
    rows = [row for entry in report["tables"].values() for cell in entry["cells"].values() for row in cell["episodes"]]
    seconds = sum(row["seconds"] for row in rows)
    overall = {**_aggregate(rows), "eval_s": seconds, "eval_ep_s": seconds / max(1, len(rows))}
    return {"per_task": tasks, "per_group": groups, "overall": overall}


def _metrics(rows: Sequence[Report]) -> Report:
    rewards = [float(row["success"]) for row in rows]  # 1 where the success test held, as in lerobot's environments
    return {
        "sum_rewards": rewards,
        "max_rewards": rewards,
        "successes": [row["success"] for row in rows],
        "video_paths": [row["sheet"] for row in rows if row["sheet"]],
    }


def _aggregate(rows: Sequence[Report]) -> Report:
    share = sum(row["success"] for row in rows) / len(rows) if rows else None
    return {
        "avg_sum_reward": share,
        "avg_max_reward": share,
        "pc_success": None if share is None else 100.0 * share,
        "n_episodes": len(rows),
        "video_paths": [row["sheet"] for row in rows if row["sheet"]],
    }


def vla_eval_form(report: Report, now: datetime.datetime | None = None) -> Report:
    """Return the report as vla-eval writes its aggregate of a benchmark: a task a cell; seconds are simulated."""
    tasks = [
        {
            "task": f"{table}/{name}",
            "episodes": [_episode(row) for row in cell["episodes"]],
            "num_episodes": len(cell["episodes"]),
            "avg_steps": sum(row["steps"] for row in cell["episodes"]) / max(1, len(cell["episodes"])),
            **_mean(cell["episodes"]),
        }
        for table, entry in report["tables"].items()
        for name, cell in entry["cells"].items()
    ]
    rows = [row for entry in report["tables"].values() for cell in entry["cells"].values() for row in cell["episodes"]]
    return {
        "benchmark": "vla_ros2_tables",
        "mode": "sync",
        "harness_version": VLA_EVAL,
        "created_at": (now or datetime.datetime.now(datetime.UTC)).isoformat(),
        "tasks": tasks,
        "config": {"params": {key: value for key, value in report.items() if key != "tables"}},
        "server_info": {"model_server": report["policy"]},
        "seed": report["seed"],
        "metric_keys": {"success": "mean"},
        **_mean(rows),
        "num_episodes_total": len(rows),
        "num_errors": 0,
    }


def _episode(row: Report) -> Report:
    return {
        "episode_id": row["index"],
        "metrics": {"success": row["success"]},
        "steps": row["steps"],
        "elapsed_sec": row["seconds"],
        "task_description": row["instruction"],
    }


def _mean(rows: Sequence[Report]) -> Report:
    return {"mean_success": round(sum(row["success"] for row in rows) / len(rows), 4)} if rows else {}
