# SPDX-License-Identifier: Apache-2.0
"""Data sets as the command line names them: FOLDER or OWNER/NAME of the hub, each with a weight if wanted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from vla_training.data.lerobot.listing import Listing, open_listing
from vla_training.data.lerobot.schema import DatasetError
from vla_training.run.errors import TrainingError

HUB_ID = re.compile(r"(?P<id>[A-Za-z0-9][\w.-]*/[\w.-]+?)(@(?P<revision>[\w./-]+))?")
WEIGHTED = re.compile(r"(?P<name>.+):(?P<weight>\d+(\.\d*)?|\.\d+)")


@dataclass(frozen=True, slots=True)
class Source:
    """A data set by name; weight: its share of what is drawn relative to the others', None: by its frames."""

    name: str
    weight: float | None = None


def parse_sources(words: list[str]) -> tuple[Source, ...]:
    """Read `SET` or `SET:WEIGHT`. Raises TrainingError where only some have a weight, or one is 0."""
    sources = []
    for word in words:
        match = None if Path(word).exists() else WEIGHTED.fullmatch(word)
        sources.append(Source(match["name"], float(match["weight"])) if match else Source(word))
    weights = [source.weight for source in sources]
    if any(weight == 0.0 for weight in weights) or (None in weights and any(weight is not None for weight in weights)):
        raise TrainingError(f"--data {' '.join(words)}: valid is a weight above 0 for each set, or for none")
    return tuple(sources)


def open_source(source: Source) -> Listing:
    """Open a folder, or what the hub has under that name. Raises DatasetError, also for a set without episodes."""
    folder = Path(source.name).expanduser()
    listing = open_listing(folder if folder.exists() else _fetched(source.name))
    if not listing.rows:
        raise DatasetError(f"{source.name} holds no episodes")
    return listing


def _fetched(name: str) -> Path:
    match = HUB_ID.fullmatch(name)
    if match is None:
        raise DatasetError(
            f"no data set at {name}: valid is a folder, or OWNER/NAME[@REVISION] of the Hugging Face hub"
        )
    try:
        from huggingface_hub import snapshot_download  # a second, and only those who fetch need it

        return Path(snapshot_download(match["id"], repo_type="dataset", revision=match["revision"]))
    except Exception as error:  # its own errors, those of its HTTP library, and of the file system
        reason = " ".join(str(error).split())[:200]
        raise DatasetError(
            f"no folder {name}, and it cannot be fetched from the hub: {type(error).__name__}: {reason}; "
            "valid without a network is the folder of a set that was downloaded"
        ) from error
