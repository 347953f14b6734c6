# SPDX-License-Identifier: Apache-2.0
"""Several data sets as one labelled table of frames with the features of their pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from vla_policy.rt1.config import RT1Config
from vla_policy.rt1.network import RT1Network

from vla_training.data.frames import FrameTable, build_table
from vla_training.data.lerobot.reader import Dataset, open_dataset
from vla_training.rt1.feature_cache import FeatureCache, JoinedRows
from vla_training.run.errors import TrainingError


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """What a Trainer needs, and where it came from. Episodes are numbered through all data sets."""

    robot: str
    table: FrameTable
    features: JoinedRows
    sources: tuple[Dataset, ...]


def open_datasets(folders: Sequence[Path], config: RT1Config) -> tuple[Dataset, ...]:
    """Open and check. Raises DatasetError (missing, damaged, other format) and TrainingError (empty, do not fit)."""
    sources = tuple(open_dataset(folder) for folder in folders)
    for source in sources:
        if not source.rows:
            raise TrainingError(f"{source.folder} holds no episodes yet; `vla data --out {source.folder}` makes some")
        if source.image_size != config.image_size:
            height, width = config.image_size
            raise TrainingError(
                f"{source.folder} holds pictures of {source.image_size[0]} x {source.image_size[1]} (height, width); "
                f"the network takes {height} x {width}: `vla data --image-size {height} {width}` makes those"
            )
        if source.robot != sources[0].robot:
            raise TrainingError(
                f"{source.folder} holds {source.robot} and {sources[0].folder} {sources[0].robot}; one robot is needed"
            )
    return sources


def load_training_set(sources: Sequence[Dataset], config: RT1Config, report: Callable[[str], None]) -> TrainingSet:
    """Label every frame, and compute the features that are not cached yet."""
    network = RT1Network(config).eval()
    parts = [FeatureCache(source, network).rows(report) for source in sources]
    early = None if config.frozen_blocks else network.early_features
    table = build_table([record for source in sources for record in source.records(images=False)])
    return TrainingSet(sources[0].robot, table, JoinedRows(parts, early), tuple(sources))
