# SPDX-License-Identifier: Apache-2.0
"""Disturbances of the table: seeded, and only where they make sense."""

import numpy as np
import pytest
from vla_sim.task.disturbance import DisturbanceError, candidates, disturb
from vla_sim.world.world import World


@pytest.fixture
def world() -> World:
    made = World("fr3")
    made.place("red block", (0.45, 0.1, 0.021))
    made.place("bowl", (0.55, -0.1, 0.001))
    return made


def test_the_same_seed_moves_the_same_block_to_the_same_place(world: World):
    assert "red block was moved" in disturb(world, "move", seed=3)
    first = world.object_pose("red block")
    world.place("red block", (0.45, 0.1, 0.021))
    disturb(world, "move", seed=3)
    assert np.allclose(world.object_pose("red block"), first)
    assert np.linalg.norm(first[:2] - world.object_pose("bowl")[:2]) > 0.12


def test_blocks_are_added_and_removed(world: World):
    assert "red block" not in candidates(world, "add")
    disturb(world, "add", "blue block", 1)
    assert "blue block" in world.objects()
    disturb(world, "remove", "blue block")
    assert "blue block" not in world.objects()


@pytest.mark.parametrize(
    ("kind", "name", "said"),
    [("shake", "", "valid: move"), ("move", "table", "valid: red block"), ("slip", "", "makes no sense"),
     ("add", "red block", "makes no sense")],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_and_changes_nothing(world: World, kind: str, name: str, said: str):
    before = {key: pose.copy() for key, pose in world.objects().items()}
    with pytest.raises(DisturbanceError, match=said):
        disturb(world, kind, name)
    assert all(np.array_equal(world.object_pose(key), pose) for key, pose in before.items())
