# SPDX-License-Identifier: Apache-2.0
"""Many clips, made by several processes; the number of processes changes nothing in them."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor

from vla_speech.halt_word.training.clips import Clip, Part, Recipe, Studio

_studio: Studio | None = None  # of a worker


def make_clips(
    recipe: Recipe, counts: Mapping[Part, int], workers: int, report: Callable[[str], None]
) -> dict[Part, list[Clip]]:
    """Return the clips of each part.

    Raises:
        MissingSpeechError: what makes or embeds speech is not installed.
        SoundError: the noise, the templates or a voice is not usable.
    """
    Studio(recipe)  # what is missing is said once, before the workers start
    jobs = [(part, number) for part, count in counts.items() for number in range(count)]
    made: dict[Part, list[Clip]] = {part: [] for part in counts}
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, initializer=_open, initargs=(recipe,)) as pool:
        for done, ((part, _), clip) in enumerate(zip(jobs, pool.map(_make, jobs, chunksize=16), strict=True), 1):
            made[part].append(clip)
            if done % 500 == 0:
                report(f"{done} of {len(jobs)} clips")
    return made


def _open(recipe: Recipe) -> None:
    global _studio
    _studio = Studio(recipe)


def _make(job: tuple[Part, int]) -> Clip:
    if _studio is None:
        raise RuntimeError("a worker was not opened")
    return _studio.clip(*job)
