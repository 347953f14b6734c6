# SPDX-License-Identifier: Apache-2.0
"""`vla bench data`: recorded episodes of a scripted operator, RT-1 lite trained on them alone, success on new tables.

For each of --counts: the first episodes of one recording, a run, `vla eval`. With --corrections also a run with further
episodes, in which the operator takes over from the policy of the largest run. Each part is made once: the same command
continues.
OUT gets recorded/, first_N/, run_N/, data.json and data.png.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vla_training.run.arguments import CORES, Parser, natural, positive
from vla_training.run.session import say

if TYPE_CHECKING:
    from vla_training.bench.data.operator import OperatorSettings

BLOCK = 8  # seeds that are tried at once
SEED, CORRECTION_SEED = 5_000_000, 6_000_000  # far from those of `vla eval`


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `vla bench data`; returns the exit status."""
    arguments = _parser().parse_args(argv)
    from vla_training.bench.data.operator import OperatorSettings
    from vla_training.data.command import check_families

    families = check_families(arguments.families)
    settings = OperatorSettings(arguments.robot, families, arguments.map)
    counts, out = sorted(set(arguments.counts)), arguments.out
    recorded = out / "recorded"
    record(settings, recorded, counts[-1], SEED, arguments.workers)
    rows = [_measure(arguments, number, [_first(recorded, out, number)], f"run_{number}") for number in counts]
    if arguments.corrections:
        taught = OperatorSettings(arguments.robot, families, arguments.map, str(out / f"run_{counts[-1]}/checkpoint"))
        further = out / "corrections"
        record(taught, further, arguments.corrections, CORRECTION_SEED, arguments.workers)
        sets = [out / f"first_{counts[-1]}", further]
        rows.append(_measure(arguments, counts[-1], sets, f"run_{counts[-1]}_corrected", arguments.corrections))
    _report(arguments, rows)
    return 0


def record(settings: OperatorSettings, folder: Path, wanted: int, seed: int, workers: int) -> None:
    """Record successful episodes until the folder holds `wanted`; for one that failed the next seed is tried."""
    from vla_core.config_file import find_config
    from vla_core.observation_map.presets import FOLDER

    from vla_training.bench.data.operator import Operator, map_of
    from vla_training.data.bags.dataset import RecordedWriter
    from vla_training.run.parallel import run_in_order

    found = map_of(settings)
    text = find_config(FOLDER, "observation map", settings.map).read_text(encoding="utf-8")
    with RecordedWriter(folder, settings.robot, round(1.0 / found.period_s), found, video=False) as writer:
        tried = max([seed - 1, *(int(name.split("@")[1]) for name in writer.sources if "@" in name)]) + 1
        for first in count(tried, BLOCK):
            if len(writer) >= wanted:
                break
            items = range(first, first + BLOCK)
            with closing(run_in_order(partial(Operator, settings), items, workers)) as episodes:
                for item, episode in zip(items, episodes, strict=True):
                    if episode.success and len(writer) < wanted:
                        writer.add(episode, f"operator@{item}", text)
            say(f"{folder}: {len(writer)} of {wanted} episodes")


def _first(recorded: Path, out: Path, number: int) -> Path:
    from vla_training.data.lerobot.listing import open_listing
    from vla_training.data.tools.assembly import Part, assemble

    folder = out / f"first_{number}"
    if not folder.exists():
        assemble(folder, [Part(open_listing(recorded), frozenset(range(number)))])
    return folder


def _measure(
    arguments: argparse.Namespace, episodes: int, sets: Sequence[Path], name: str, corrections: int = 0
) -> dict[str, Any]:
    """Train and evaluate, unless that was done; return the figures."""
    from vla_training.evaluate.command import main as evaluate
    from vla_training.rt1.command import main as train

    run: Path = arguments.out / name
    report = run / "eval.json"
    if not report.is_file():
        words = ["--data", *map(str, sets), "--out", str(run), "--steps", str(arguments.steps), "--seed", "0"]
        words += ["--batch", str(arguments.batch), "--threads", str(arguments.threads)]
        _or_fail(train, words)
        words = ["--policy", "rt1", "--robot", arguments.robot, "--checkpoint", str(run / "checkpoint")]
        words += ["--episodes", str(arguments.tables), "--seed", str(arguments.seed), "--out", str(report)]
        _or_fail(evaluate, [*words, "--workers", str(arguments.workers), "--families", *_once(arguments.families)])
    found = json.loads(report.read_text(encoding="utf-8"))
    kept = {key: found[key] for key in ("success_rate", "interval_95", "per_family", "seed")}
    about = {"episodes": episodes, "corrections": corrections, "steps": arguments.steps, "tables": arguments.tables}
    return about | kept


def _or_fail(command: Callable[[Sequence[str]], int], words: Sequence[str]) -> None:
    status = command(words)
    if status:
        raise SystemExit(status)


def _once(families: Sequence[str]) -> Iterator[str]:
    return iter(dict.fromkeys(families))


def _report(arguments: argparse.Namespace, rows: Sequence[dict[str, Any]]) -> None:
    from vla_core.files import write_text

    write_text(arguments.out / "data.json", json.dumps({"robot": arguments.robot, "rows": rows}, indent=1) + "\n")
    print("| episodes | corrections | success | by family |\n|---|---|---|---|")
    for row in rows:
        low, high = row["interval_95"]
        families = ", ".join(f"{name} {100 * one['success_rate']:.0f} %" for name, one in row["per_family"].items())
        total = f"{100 * row['success_rate']:.0f} % ({100 * low:.0f} to {100 * high:.0f} %)"
        print(f"| {row['episodes']} | {row['corrections']} | {total} | {families} |")
    print(draw(arguments.out / "data.png", rows))


def draw(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    """Draw success over episodes with 95 % intervals."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for corrected, label in ((False, "demonstrations alone"), (True, "with corrections")):
        mine = [row for row in rows if bool(row["corrections"]) is corrected]
        if mine:
            rates = [100 * row["success_rate"] for row in mine]
            reach = [
                [rate - 100 * row["interval_95"][0] for rate, row in zip(rates, mine, strict=True)],
                [100 * row["interval_95"][1] - rate for rate, row in zip(rates, mine, strict=True)],
            ]
            axes.errorbar([row["episodes"] for row in mine], rates, reach, fmt="o-", capsize=3, label=label)
    axes.set(xlabel="recorded episodes", ylabel="success [%]", ylim=(0, 100))
    axes.grid(alpha=0.3)
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    return path


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="vla bench data", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("out/bench/data"), help="folder (default %(default)s)")
    parser.add_argument("--counts", type=positive, nargs="+", default=[25, 50, 100, 200, 300], help="episodes")
    parser.add_argument("--corrections", type=natural, default=0, help="episodes with take-over (default none)")
    parser.add_argument("--steps", type=positive, default=6000, help="updates of each run (default 6000)")
    parser.add_argument("--batch", type=positive, default=96, help="frames an update (default 96)")
    parser.add_argument("--tables", type=positive, default=100, help="new tables of each evaluation (default 100)")
    parser.add_argument("--seed", type=natural, default=7, help="of the tables (default 7)")
    parser.add_argument("--robot", default="fr3", help="fr3 (default) or wx250s")
    parser.add_argument("--map", default="rt1", help="observation map of the recordings (default rt1)")
    parser.add_argument("--families", nargs="+", default=["pick", "place", "near", "push"], metavar="FAMILY")
    parser.add_argument("--workers", type=positive, default=CORES, help=f"processes (default {CORES})")
    parser.add_argument("--threads", type=natural, default=0, help="of the numerical library; 0 leaves its choice")
    return parser
