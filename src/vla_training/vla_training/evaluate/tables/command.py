# SPDX-License-Identifier: Apache-2.0
"""`vla eval tables`: success in the categories of the RT-1, RT-2 and LIBERO-Plus papers; the same command continues."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from vla_core.arguments import add_settings
from vla_core.config_file import config_names
from vla_core.files import write_text
from vla_policy.loading import OPTIONS, load_policy, policy_settings
from vla_policy.settings import Settings
from vla_sim.world.robots import get_robot

from vla_training.evaluate.tables import picture
from vla_training.evaluate.tables.cells import FOLDER, Table, load_tables
from vla_training.evaluate.tables.log import Log
from vla_training.evaluate.tables.report import lerobot_form, summarise, vla_eval_form
from vla_training.evaluate.tables.runner import TableRunner, TableSettings
from vla_training.run.arguments import Parser, natural, positive
from vla_training.run.parallel import run_in_order

ROUND = 4  # episodes of a cell in a row, one a family: a stop leaves every cell with about as many


def plan(tables: Sequence[Table], episodes: int, done: set[tuple[str, int]]) -> list[tuple[str, int]]:
    """Return (digest, index) of the episodes that are left, in rounds over all cells; like cells are run once."""
    digests = list(dict.fromkeys(cell.digest for table in tables for cell in table.cells.values()))
    return [
        (digest, index)
        for start in range(0, episodes, ROUND)
        for digest in digests
        for index in range(start, min(start + ROUND, episodes))
        if (digest, index) not in done
    ]


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `vla eval tables`; returns the exit status."""
    arguments = _parser().parse_args(argv)
    tables = load_tables(arguments.tables)
    policy = _policy(arguments)
    conditions = {
        "policy": policy.policy,
        "robot": policy.robot,
        "checkpoint": policy.checkpoint,
        "seed": arguments.seed,
    }
    log = Log(arguments.out.with_suffix(".jsonl"), conditions, arguments.fresh)
    items = plan(tables, arguments.episodes, set(log.rows))
    failures = None if arguments.no_sheets else arguments.out.with_suffix("")
    settings = TableSettings(policy, arguments.seed, failures)
    cells = {cell.digest: cell for table in tables for cell in table.cells.values()}
    names = {cell.digest: f"{table.name}/{name}" for table in tables for name, cell in table.cells.items()}
    if log.rows:
        print(f"{log.path}: {len(log.rows)} episodes are done, {len(items)} are left", flush=True)
    try:
        if arguments.workers > 1:  # here, so that a refusal comes before any process starts
            load_policy(policy).close()
        make = partial(TableRunner, settings, cells, items)
        for number, row in enumerate(run_in_order(make, range(len(items)), arguments.workers), 1):
            log.add(row)
            mark = "success" if row.success else "FAILED "
            print(f"{number:5d}/{len(items)} {mark} {names[row.cell]}: {row.instruction}", flush=True)
    finally:  # also of a part, where it was stopped
        report = summarise(conditions, tables, _within(log, arguments.episodes))
        if log.rows:
            _write(report, arguments.out)
    _print_summary(report)
    return 0


def _within(log: Log, episodes: int) -> list[Any]:
    return [row for row in log.rows.values() if row.index < episodes]


def _write(report: dict[str, Any], out: Path) -> None:
    forms = {"": report, ".lerobot": lerobot_form(report), ".vla_eval": vla_eval_form(report)}
    for suffix, form in forms.items():
        write_text(out.with_suffix(f"{suffix}.json"), json.dumps(form, indent=1) + "\n")
    print(f"written: {out}, its .lerobot.json and .vla_eval.json, {picture.draw(report, out.with_suffix('.png'))}")


def _print_summary(report: dict[str, Any]) -> None:
    for entry in report["tables"].values():
        print(f"\n{entry['title']}")
        for name, cell in entry["cells"].items():
            if cell["success_rate"] is None:
                print(f"  {name:38s} not run")
                continue
            low, high = cell["interval_95"]
            paper = ", ".join(f"{who} {rates[name]:g}" for who, rates in entry["paper"].items() if name in rates)
            print(
                f"  {name:38s} {100 * cell['success_rate']:4.0f} % of {cell['episodes_run']:3d} "
                f"({100 * low:.0f} to {100 * high:.0f}){f'   paper: {paper}' if paper else ''}"
            )


def _policy(arguments: argparse.Namespace) -> Settings:
    names = (*OPTIONS, "narrow", "checkpoint", "device", "rate", "observation_map")
    options = {name: getattr(arguments, name) for name in names}
    return policy_settings(arguments.policy, get_robot(arguments.robot).name, threads=1, **options)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="vla eval tables", description=__doc__)
    parser.add_argument(
        "--tables",
        nargs="+",
        default=[],
        metavar="NAME",
        help=f"{', '.join(config_names(FOLDER))}, or a .yaml of one's own (default: all)",
    )
    parser.add_argument("--policy", default="rt1", help="rt1, rt2, expert or any registered policy")
    parser.add_argument("--robot", default="fr3", help="fr3 (default) or wx250s")
    parser.add_argument("--checkpoint", default="", help="folder or shipped name; empty: the robot's shipped one")
    parser.add_argument("--map", dest="observation_map", default="", help="observation map: name or .yaml")
    parser.add_argument("--episodes", type=positive, default=100, help="of each cell (default 100)")
    parser.add_argument("--seed", type=natural, default=7)
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"), help="where the policy computes")
    parser.add_argument("--rate", type=float, default=5.0, help="inferences per simulated second [Hz] (default 5)")
    add_settings(parser, Settings, (*OPTIONS, "narrow"))
    parser.add_argument("--workers", type=positive, default=1, help="processes")
    parser.add_argument("--out", type=Path, default=Path("out/tables.json"), help="beside it: .jsonl, .png, sheets")
    parser.add_argument("--fresh", action="store_true", help="discard the episodes that are there (default: continue)")
    parser.add_argument("--no-sheets", action="store_true", help="no contact sheets of failed episodes")
    return parser
