# SPDX-License-Identifier: Apache-2.0
"""Tables that look different: things beside the task's objects, shapes, paints and marks of blocks."""

import numpy as np
import pytest
from vla_sim.expert.expert import expert_action, state_of
from vla_sim.task.task import Task
from vla_sim.world.camera import Camera
from vla_sim.world.dressing import PAINTS, SHAPES, Dressing, DressingError
from vla_sim.world.extras import add_things
from vla_sim.world.layout import sample_layout, sample_task
from vla_sim.world.marks import MARKS
from vla_sim.world.outside_view import build_outside_view
from vla_sim.world.robots import get_robot
from vla_sim.world.scene import BLOCK_COLORS, BLOCK_HALF, BLOCKS, body_name, build_scene
from vla_sim.world.things import HELD_OUT_THINGS, OCCLUDER, THINGS, TRAINED_THINGS
from vla_sim.world.world import OBJECTS, World

FR3 = get_robot("fr3")


def laid(dressing: Dressing, seed: int = 0, family: str = "pick") -> World:
    """A world with the first table of a seed that has room for the dressing's things."""
    world = World(FR3, dressing=dressing)
    for draw in range(40):
        rng = np.random.default_rng([seed, draw])
        layout = add_things(FR3, sample_layout(FR3, sample_task(rng, family), rng), dressing.things, rng)
        if layout is not None:
            layout.apply(world)
            return world
    raise AssertionError(f"no room for {dressing.things}")


def picture(world: World) -> np.ndarray:
    with Camera(world) as camera:
        return camera.render().astype(int)


def test_fifteen_things_and_more_some_of_which_are_never_trained():
    assert len(THINGS) >= 15
    assert set(TRAINED_THINGS).isdisjoint(HELD_OUT_THINGS)
    assert len(HELD_OUT_THINGS) >= 5
    assert not set(THINGS) & set(OBJECTS)


@pytest.mark.parametrize("robot", ["fr3", "wx250s"])
def test_without_a_dressing_the_blocks_are_the_plain_cubes(robot):
    model = build_scene(get_robot(robot))
    dressed = build_scene(get_robot(robot), Dressing(things=TRAINED_THINGS))
    assert dressed.nbody == model.nbody + len(TRAINED_THINGS)
    for name, color in zip(BLOCKS, BLOCK_COLORS.values(), strict=True):
        body = model.body(body_name(name))
        assert body.geomnum[0] == 1
        geom = model.geom(int(body.geomadr[0]))
        np.testing.assert_allclose(geom.size, BLOCK_HALF)
        np.testing.assert_allclose(geom.rgba, [*color, 1.0])
        np.testing.assert_allclose(body.mass, 0.05)
    assert not model.nmesh or {model.mesh(i).name for i in range(model.nmesh)}.isdisjoint(THINGS)


def test_a_plain_dressing_leaves_the_picture_as_it_is_to_the_last_bit():
    np.testing.assert_array_equal(picture(laid(Dressing())), picture(laid(Dressing(paints={}, marks={}))))


@pytest.mark.parametrize("name", THINGS)
def test_every_thing_is_seen_and_lies_still(name):
    world, plain = laid(Dressing(things=(name,))), laid(Dressing())
    before = world.objects()
    world.step(1.0)
    for each, pose in world.objects().items():
        np.testing.assert_allclose(pose[:2], before[each][:2], atol=0.004, err_msg=each)
    top = THINGS[name].height
    assert world.object_pose(name)[2] == pytest.approx(top / 2, abs=0.012)
    changed = np.abs(picture(world) - picture(plain)).max(axis=2) > 12
    assert 15 < changed.sum() < 1500


@pytest.mark.parametrize("family", ["pick", "place", "near", "push"])
def test_nine_things_and_the_can_before_the_block_leave_the_task_possible(family):
    things = (*TRAINED_THINGS[:4], *HELD_OUT_THINGS[:4], OCCLUDER)
    world = laid(Dressing(things=things), seed=3, family=family)
    assert set(things) <= set(world.objects())
    names = list(world.objects())
    spots = np.array([world.object_pose(name)[:2] for name in names])
    for i, name in enumerate(names):
        if name in THINGS:
            others = np.delete(spots, i, axis=0)
            assert np.linalg.norm(others - spots[i], axis=1).min() > THINGS[name].radius


def test_the_can_hides_part_of_the_block_but_not_all():
    dressing = Dressing(things=(OCCLUDER,))
    seen = {}
    for name, one in (("free", Dressing()), ("hidden", dressing)):
        world = World(FR3, dressing=one)
        rng = np.random.default_rng(5)
        layout = sample_layout(FR3, Task("pick", "red block"), rng)
        add_things(FR3, layout, one.things, rng).apply(world)
        shot = picture(world)
        seen[name] = int(((shot[..., 0] > 90) & (shot[..., 1] < 40) & (shot[..., 2] < 40)).sum())
    assert 0.15 * seen["free"] < seen["hidden"] < 0.8 * seen["free"]


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_rests_at_the_height_of_a_cube_and_can_be_lifted(shape, reach):
    world = World(FR3, dressing=Dressing(shapes={"red block": shape}))
    spot = (FR3.table_center_x, 0.0, 0.02)
    world.place("red block", (spot[0], spot[1], BLOCK_HALF + 0.001))
    world.reset_robot(reach(world, spot))
    world.step(0.3)
    assert world.object_pose("red block")[2] == pytest.approx(BLOCK_HALF, abs=0.002)
    state = state_of(world.tcp_pose(), world.gripper_width, world.objects())
    assert expert_action(state, Task("pick", "red block"), FR3).opening[0] == 0.0
    world.command_gripper(0.0)
    world.step(0.8)
    assert world.touching_fingers("red block")
    assert 0.030 < world.gripper_width < 0.047  # what the expert takes for a held block


@pytest.mark.parametrize("mark", MARKS)
def test_marks_are_seen_and_have_neither_weight_nor_contact(mark):
    plain = build_scene(FR3)
    model = build_scene(FR3, Dressing(marks={"yellow block": mark}))
    body = model.body("yellow_block")
    np.testing.assert_allclose(body.mass, plain.body("yellow_block").mass)
    np.testing.assert_allclose(body.inertia, plain.body("yellow_block").inertia)
    marks = range(int(body.geomadr[0]) + 1, int(body.geomadr[0] + body.geomnum[0]))
    assert len(marks) >= 4
    assert all(model.geom_contype[i] == model.geom_conaffinity[i] == 0 for i in marks)


def test_marks_differ_from_each_other_in_the_picture():
    shots = {}
    for mark in MARKS:
        world = World(FR3, dressing=Dressing(marks={"yellow block": mark}))
        world.place("yellow block", (FR3.table_center_x + 0.05, 0.0, BLOCK_HALF))
        shots[mark] = picture(world)
    for a in MARKS:
        for b in MARKS:
            if a < b:
                assert (np.abs(shots[a] - shots[b]).max(axis=2) > 40).sum() >= 4, (a, b)


def test_what_a_person_would_call_a_block():
    dressing = Dressing(shapes={"red block": "cylinder", "blue block": "l"}, paints={"red block": "orange"})
    assert dressing.called("red block") == "orange cylinder"
    assert dressing.called("blue block") == "blue l shape"
    assert dressing.called("green block") == "green block"
    assert dressing.called("bowl") == "bowl"


def test_paints_are_none_of_the_blocks_own_colours():
    for paint, color in PAINTS.items():
        nearest = min(np.linalg.norm(np.subtract(color, own)) for own in BLOCK_COLORS.values())
        assert nearest > 0.3, paint


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"shapes": {"red block": "sphere"}}, "unknown shape 'sphere'; valid: block, cylinder, bar, l, triangle"),
        ({"paints": {"red block": "mauve"}}, "unknown paint 'mauve'; valid: orange"),
        ({"marks": {"red block": "A"}}, "unknown mark 'A'; valid: 0, 1"),
        ({"things": ("anvil",)}, "unknown thing 'anvil'; valid: white cup"),
        ({"things": ("white cup", "white cup")}, "twice"),
    ],
)
def test_unknown_names_are_refused_with_the_valid_ones(wrong, said):
    with pytest.raises(DressingError, match=said):
        Dressing(**wrong)


def test_the_outside_view_shows_the_same_things_with_the_same_joints():
    dressing = Dressing(things=TRAINED_THINGS[:2], shapes={"red block": "bar"})
    model, shown = build_scene(FR3, dressing), build_outside_view(FR3, dressing)
    assert [shown.joint(i).name for i in range(shown.njnt)] == [model.joint(i).name for i in range(model.njnt)]
    cup = shown.body("white_cup")
    assert shown.geom_matid[int(cup.geomadr[0])] == -1  # its own colour, not the arm's
