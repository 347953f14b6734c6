# SPDX-License-Identifier: Apache-2.0
"""`vla bench variation` measures every axis and draws them."""

import json

import cv2
from vla_sim.variation.axes import AXES
from vla_sim.world.dressing import Dressing
from vla_training.bench import variation


def test_one_table_is_timed_and_drawn():
    numbers, picture = variation.measure(["trained"], Dressing(things=("white cup",)), seed=1, frames=1)
    assert set(numbers) == {"compile_ms", "frame_ms", "simulated_second_ms"}
    assert all(value > 0 for value in numbers.values())
    assert picture.shape == (256, 320, 3)
    assert picture.std() > 5


def test_the_report_names_every_axis_and_the_sheet_has_a_tile_for_each(tmp_path, monkeypatch):
    _, tile = variation.measure([], Dressing(), seed=1, frames=1)
    monkeypatch.setattr(variation, "measure", lambda *_: ({"frame_ms": 1.0}, tile))
    assert variation.main(["--out", str(tmp_path / "v.json"), "--frames", "1"]) == 0
    report = json.loads((tmp_path / "v.json").read_text())
    assert {"plain", "shadows", "nine things", "held out", *AXES} <= set(report)
    shown = cv2.imread(str(tmp_path / "v.jpg"))
    assert shown.shape[1] == variation.COLUMNS * 320
    assert shown.shape[0] == -(-len(report) // variation.COLUMNS) * (256 + variation.TITLE)
