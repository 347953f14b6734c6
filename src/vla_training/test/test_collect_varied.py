# SPDX-License-Identifier: Apache-2.0
"""Demonstrations on varied tables: the seed decides the table too, and the camera's place goes with the episode."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from vla_sim.variation.axes import AXES, VariationError
from vla_sim.variation.variation import check_trained, parse_variation
from vla_sim.world.scene import BLOCK_COLORS
from vla_training.data.collect import Collector, CollectSettings
from vla_training.data.command import main
from vla_training.data.frames import build_table
from vla_training.data.lerobot.writer import DatasetError, DatasetWriter, open_dataset
from vla_training.data.projection import project, projection_matrix

SIZE = (128, 160)
MOVED = CollectSettings(max_steps=2, image_size=SIZE, wide_starts=0.0, variation=parse_variation(["camera"]))
EVERYTHING = replace(MOVED, variation=parse_variation(["trained"]), things=3, wide_starts=1.0)


def collected(settings: CollectSettings, seeds: list[int]) -> list:
    collector = Collector(settings)
    records = [collector.episode(seed) for seed in seeds]
    collector.close()
    return records


def test_the_projection_of_a_moved_camera_finds_the_blocks_in_the_picture():
    plain, hits, misses = projection_matrix("fr3", SIZE), 0, 0
    for record in collected(MOVED, [0, 1, 2]):
        assert not np.allclose(record.projection, plain, rtol=1e-3)
        for position, color in zip(record.blocks[0], BLOCK_COLORS.values(), strict=True):
            if position[2] < 0:
                continue
            for matrix in (record.projection, plain):
                u, v = np.rint(project(matrix, position[None])[0]).astype(int)
                seen = record.images[0][np.clip(v, 0, SIZE[0] - 1), np.clip(u, 0, SIZE[1] - 1)] / 255.0
                alike = np.argmax(seen) == np.argmax(color) and np.ptp(seen) > 0.2
                hits += alike and matrix is record.projection
                misses += not alike and matrix is record.projection
    assert hits >= 6
    assert misses <= 1  # a block behind the hand


def test_the_seed_decides_the_table_also_after_another_one():
    first, other, again = collected(EVERYTHING, [3, 4, 3])
    assert np.array_equal(first.images, again.images)
    assert np.array_equal(first.blocks, again.blocks)
    assert np.array_equal(first.projection, again.projection)
    assert not np.array_equal(first.projection, other.projection)


def test_the_camera_is_kept_in_the_data_set_and_in_the_table_of_frames(tmp_path: Path, make_record):
    varied = make_record(seed=1, frames=3, size=(32, 40))
    varied.projection = np.arange(12.0).reshape(3, 4)
    plain = make_record(seed=2, frames=2, size=(32, 40))
    with DatasetWriter(tmp_path / "set", "fr3") as writer:
        writer.add(plain, 0)
        writer.add(varied, 1)
    records = list(open_dataset(tmp_path / "set").records())
    assert records[0].projection is None
    np.testing.assert_array_equal(records[1].projection, varied.projection)
    table = build_table(records)
    np.testing.assert_allclose(table.cameras[table.episode[0]], projection_matrix("fr3", (32, 40)))
    np.testing.assert_array_equal(table.cameras[table.episode[-1]], varied.projection)


def test_unknown_variation_is_refused_with_what_is_valid(tmp_path: Path):
    with pytest.raises(VariationError, match=r"camera.*light"):
        main(["--out", str(tmp_path / "set"), "--episodes", "1", "--vary", "weather"])
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize("vary", [["held_out"], ["camera.shift=0.0:0.05"]])
def test_what_is_held_out_for_evaluation_is_never_drawn_for_training(tmp_path: Path, vary: list[str]):
    with pytest.raises(VariationError, match=r"training may draw .* held out"):
        main(["--out", str(tmp_path / "set"), "--episodes", "1", "--vary", *vary])
    assert check_trained(parse_variation(["trained"])).axes.keys() == AXES.keys()


def test_a_data_set_says_how_its_tables_differ_and_refuses_others(tmp_path: Path, make_record):
    with DatasetWriter(tmp_path / "set", "fr3", variation=MOVED.tables) as writer:
        writer.add(make_record(), 0)
    assert open_dataset(tmp_path / "set").variation == {"axes": {"camera": {}}, "things": 0}
    with DatasetWriter(tmp_path / "set", "fr3", variation=MOVED.tables) as writer:
        assert len(writer) == 1
    with pytest.raises(DatasetError, match=r"camera.*not plain tables.*--vary"):
        DatasetWriter(tmp_path / "set", "fr3")


def test_the_arm_starts_where_its_axis_says():
    tilted = replace(MOVED, variation=parse_variation(["arm"]))
    plain, moved = collected(replace(MOVED, variation=parse_variation([])), [0]), collected(tilted, [0])
    offset = np.abs(moved[0].joints[0][:7] - plain[0].joints[0][:7])
    assert 0.01 < offset.max() < 0.1
