# SPDX-License-Identifier: Apache-2.0
"""Several robots at 5 Hz on one server, their observations in one pass or one by one."""

from __future__ import annotations

import argparse
import math
from collections import defaultdict
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

import numpy as np
from vla_policy.serve.command import bound_map
from vla_policy.serve.process import serving_process

from vla_training.bench.remote.robots import Driven, drive, message

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RATE_HZ = 5.0
TURNS = 2  # another load on the machine falls on both ways
LEAST_AGES = 200  # for a percentile 99
WAYS = {"batched": "16", "unbatched": "1"}  # max_batch


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return `fleet`: for each number of robots the ages' percentiles [ms] and what share of observations was used."""
    observation_map = bound_map("", arguments.policy, arguments.robot)
    messages = [message(observation_map, seed) for seed in range(max(arguments.robots))]
    words = [arguments.policy, "--checkpoint", arguments.checkpoint, "--robot", arguments.robot]
    words += ["--device", arguments.device, "--threads", str(arguments.threads), "--max-clients", "64"]
    found: dict[str, Any] = {}
    with ExitStack() as stack, ProcessPoolExecutor(1, get_context("spawn")) as elsewhere:
        uris = {way: stack.enter_context(serving_process(*words, "--max-batch", size)) for way, size in WAYS.items()}
        for count in sorted(arguments.robots):
            seconds = max(arguments.seconds, LEAST_AGES / RATE_HZ / count) / TURNS
            driven: dict[str, list[Driven]] = defaultdict(list)
            for turn in range(TURNS):
                for way, uri in uris.items():
                    load = elsewhere.submit(drive, uri, messages[:count], seconds, RATE_HZ, turn)
                    driven[way].append(load.result())
            found[str(count)] = {key: value for way in WAYS for key, value in _row(way, driven[way]).items()}
            print(f"  {count:2} robots: " + _line(found[str(count)]), flush=True)
    return {"fleet": found}


def _row(way: str, driven: list[Driven]) -> dict[str, float]:
    ages = np.array([age for each in driven for age in each.ages])
    wanted = len(ages) + sum(each.dropped for each in driven)
    middle, high = np.percentile(ages, [50, 99]) if len(ages) else (math.nan, math.nan)
    return {
        f"{way}_age_p50_ms": round(1e3 * float(middle), 2),
        f"{way}_age_p99_ms": round(1e3 * float(high), 2),
        f"{way}_used": round(len(ages) / wanted, 4),
        f"{way}_failed": sum(each.failed for each in driven),
    }


def _line(row: Mapping[str, float]) -> str:
    return ", ".join(
        f"{way} p50 {row[f'{way}_age_p50_ms']:.0f} p99 {row[f'{way}_age_p99_ms']:.0f} ms, "
        f"{100 * row[f'{way}_used']:.0f} % used"
        for way in WAYS
    )


def draw(axes: Axes, result: Mapping[str, Any]) -> None:
    """Draw the age's percentile 99 over the number of robots."""
    fleet = result["fleet"]
    counts = [int(count) for count in fleet]
    for way in WAYS:
        axes.plot(counts, [fleet[str(count)][f"{way}_age_p99_ms"] for count in counts], "o-", label=way)
    axes.axhline(1e3 / RATE_HZ, color="0.6", linewidth=0.8)
    axes.set(
        xlabel=f"robots at {RATE_HZ:g} Hz",
        ylabel="age of the observation when its chunk comes, p99 [ms]",
        xscale="log",
        yscale="log",
        title="one server, several robots",
    )
    axes.set_xticks(counts, [str(count) for count in counts])
    axes.legend()
