# SPDX-License-Identifier: Apache-2.0
"""Episodes without a simulator, for whoever tests what happens to them afterwards."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from vla_sim.task.task import Task
from vla_sim.world.robots import get_robot
from vla_sim.world.scene import BLOCKS
from vla_training.data.lerobot.writer import DatasetWriter
from vla_training.data.record import EpisodeRecord

RED = Task("pick", "red block")
MakeRecord = Callable[..., EpisodeRecord]


@pytest.fixture(scope="session")
def bundles() -> ModuleType:
    """The module bundle_writer.py beside this file."""
    spec = importlib.util.spec_from_file_location("bundle_writer", Path(__file__).with_name("bundle_writer.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def make_record() -> MakeRecord:
    """Random pictures and states over the table; the same seed gives the same episode."""

    def make(seed=0, frames=4, task=RED, robot="fr3", size=(32, 40)):
        rng = np.random.default_rng(seed)
        joints = len(get_robot(robot).joint_names) + len(get_robot(robot).finger_joint_names)
        spots = rng.uniform([0.35, -0.2, 0.02], [0.65, 0.2, 0.02], (len(BLOCKS), 3))
        return EpisodeRecord(
            robot=robot,
            task=task,
            text=task.text(),
            success=bool(seed % 2),
            images=rng.integers(0, 256, (frames, *size, 3), dtype=np.uint8),
            joints=rng.normal(size=(frames, joints)),
            tcp=np.column_stack([rng.uniform(0.1, 0.5, (frames, 3)), np.tile([1.0, 0.0, 0.0, 0.0], (frames, 1))]),
            width=rng.uniform(0.0, 0.08, frames),
            blocks=np.tile(spots, (frames, 1, 1)),
            bowl=np.tile([0.5, 0.25, 0.0], (frames, 1)),
            actions=rng.uniform(0.0, 0.05, (frames, 5)),
        )

    return make


@pytest.fixture
def make_dataset(make_record: MakeRecord, tmp_path: Path) -> Callable[..., Path]:
    """A folder with one episode for each seed, two in a file."""

    def make(name="data", seeds=range(5), **options):
        with DatasetWriter(tmp_path / name, options.get("robot", "fr3"), group=2) as writer:
            for seed in seeds:
                writer.add(make_record(seed, **options), seed)
        return tmp_path / name

    return make
