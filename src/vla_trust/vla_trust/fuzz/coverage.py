# SPDX-License-Identifier: Apache-2.0
"""Fuzzing guided by coverage, by atheris (requirements/fuzz.txt): a process for each target."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vla_trust.fuzz.mutate import Mutator
from vla_trust.fuzz.run import Count, Failure, Report
from vla_trust.fuzz.target import Target

PACKAGES = ("vla_core", "vla_policy", "vla_operator", "vla_planner", "vla_console", "vla_recorder", "vla_perception")
LATE_S = 60.0  # [s] for a process to start and to end
_DONE = re.compile(r"Done (\d+) runs|#(\d+)\s+\w+")


def run_by_coverage(names: Sequence[str], seconds: float, seed: int) -> Report:
    """Fuzz each target for its share of `seconds`; a target's process ends at its first failure."""
    share = max(1, round(seconds / len(names)))
    return Report(seed, {name: _run(name, share, seed) for name in names})


def _run(name: str, seconds: int, seed: int) -> Count:
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        found = Path(folder) / "failure.json"
        command = [sys.executable, "-m", __name__, name, str(found), f"-max_total_time={seconds}", f"-seed={seed + 1}"]
        command += [
            "-max_len=4096",
            "-print_final_stats=1",
            f"-artifact_prefix={folder}/",
            "-timeout=10",
            "-rss_limit_mb=4096",
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + LATE_S, check=False)
        numbers = [int(a or b) for a, b in _DONE.findall(done.stderr)]
        count = Count(cases=max(numbers, default=0), seconds=float(seconds))
        if done.returncode == 0:
            return count
        lines = done.stderr.strip().splitlines() or ["no output"]
        about = json.loads(found.read_text(encoding="utf-8")) if found.is_file() else {"error": lines[-1], "shown": ""}
        count.failed = 1
        count.failures["first"] = Failure(name, count.cases, about["error"], "?", about["shown"])
        return count


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one target in this process until libFuzzer's arguments end it."""
    import atheris

    name, found, *options = list(sys.argv[1:] if arguments is None else arguments)
    with atheris.instrument_imports(include=list(PACKAGES)):
        from vla_trust.fuzz.command import all_targets

        target = next(target for target in all_targets() if target.name == name)
        examples = list(target.examples())

    def one(data: bytes) -> None:
        made = _input(target, examples, data)
        try:
            target.read(made)
        except target.refuses:
            return
        except Exception as error:
            about = {"error": f"{type(error).__name__}: {error}"[:300], "shown": repr(made)[:400]}
            Path(found).write_text(json.dumps(about), encoding="utf-8")
            raise

    atheris.Setup([sys.argv[0], *options], one)
    atheris.Fuzz()


def _input(target: Target, examples: Sequence[Any], data: bytes) -> Any:
    """Return the input that libFuzzer's bytes stand for: themselves, a text, or a mutation that they choose."""
    if isinstance(examples[0], bytes) and target.mutate is None:
        return data
    if isinstance(examples[0], str) and target.mutate is None:
        return data.decode("utf-8", "replace")
    rng = _Given(data)
    return target.mutated(Mutator(rng), examples[rng.randrange(len(examples))])


class _Given(random.Random):
    """Random numbers taken from bytes, so that nearby bytes give nearby mutations; then from their sum."""

    def __init__(self, data: bytes) -> None:
        """Begin with the bytes."""
        super().__init__(sum(data))
        self._left = data

    def random(self) -> float:
        """Return a number from 0 to 1."""
        if len(self._left) < 2:
            return super().random()
        head, self._left = self._left[:2], self._left[2:]
        return int.from_bytes(head, "big") / 65536.0

    def getrandbits(self, bits: int, /) -> int:
        """Return a whole number of `bits` bits."""
        if not self._left:
            return super().getrandbits(bits)
        count = (bits + 7) // 8
        head, self._left = self._left[:count], self._left[count:]
        return int.from_bytes(head.ljust(count, b"\0"), "big") >> (8 * count - bits)


if __name__ == "__main__":
    main()
