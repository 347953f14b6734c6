# SPDX-License-Identifier: Apache-2.0
"""Each axis changes the picture or the physics as it says and nothing else; seeds repeat; held-out ranges differ."""

from functools import partial

import numpy as np
import pytest
from vla_core.config_file import config_names
from vla_sim.variation.axes import AXES, VariationError
from vla_sim.variation.picture import develop
from vla_sim.variation.variation import FOLDER, load_variation, parse_variation, variation_of
from vla_sim.variation.varier import Varier, dress
from vla_sim.world.camera import Camera
from vla_sim.world.cloth import PATTERNS
from vla_sim.world.dressing import Dressing
from vla_sim.world.layout import sample_layout, sample_task
from vla_sim.world.world import World

SEEN = ("camera", "light", "table", "cloth", "blocks", "arm", "picture")  # the floor is outside of the picture
FELT = {
    "physics": ("geom_friction", "body_mass", "body_inertia", "actuator_gainprm", "actuator_biasprm", "dof_damping"),
    "blocks": ("geom_size", "geom_rbound", "geom_aabb", "geom_pos"),
}
FIELDS = tuple(name for names in FELT.values() for name in names)


def lay(world: World) -> World:
    rng = np.random.default_rng(4)
    sample_layout(world.robot, sample_task(rng, "place"), rng).apply(world)
    return world


def shown(words, seed=1, robot="fr3") -> tuple[np.ndarray, World]:
    """The front camera's picture of the same table as a variation makes it."""
    drawn = parse_variation(words).draw(seed)
    world = World(robot, dressing=dress(Dressing(), drawn))
    varier = Varier(world)
    varier.set(drawn)
    world.reset_robot(varier.home(drawn))
    lay(world)
    with Camera(world) as camera:
        camera.effect = partial(develop, drawn=drawn, rng=np.random.default_rng(0))
        return camera.render().astype(int), world


@pytest.fixture(scope="module")
def plain():
    return shown([])


@pytest.mark.parametrize("axis", AXES)
def test_an_axis_changes_what_it_says_and_nothing_else(axis, plain):
    picture, world = shown([axis])
    assert (np.abs(picture - plain[0]).max() > 8) == (axis in SEEN)
    for name in FIELDS:
        differs = not np.array_equal(getattr(world.model, name), getattr(plain[1].model, name))
        assert not differs or name in FELT.get(axis, ()), name
    assert (world.action_delay > 0) == (axis == "delay")


@pytest.mark.parametrize("name", FELT["physics"] + FELT["blocks"])
def test_physics_and_size_change_every_field_of_theirs(name, plain):
    if name == "geom_pos":
        return
    _, world = shown(["physics", "blocks"])
    assert not np.array_equal(getattr(world.model, name), getattr(plain[1].model, name))


def test_the_floor_is_painted():
    _, world = shown(["floor"])
    assert not np.allclose(world.model.geom("floor").rgba[:3], [0.35, 0.37, 0.4])


def test_shadows_are_drawn_where_they_are_wanted(plain):
    picture, _ = shown(["light.lamp=1", "light.headlight=1", "light.direction=0", "light.tint=0", "light.shadow=1"])
    darker = (plain[0] - picture).max(axis=2) > 25
    assert 30 < darker.sum() < 0.3 * darker.size


@pytest.mark.parametrize("pattern", range(len(PATTERNS)))
def test_every_pattern_is_seen_and_differs(pattern, plain):
    picture, _ = shown([f"cloth.pattern={pattern}"])
    assert np.abs(picture - plain[0]).max(axis=2).mean() > 10
    other, _ = shown([f"cloth.pattern={(pattern + 1) % len(PATTERNS)}"])
    assert np.abs(picture - other).max() > 30


def test_the_same_seed_repeats_and_another_differs():
    first, again, other = (shown(["trained"], seed)[0] for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 30


def test_turning_an_axis_off_changes_no_other():
    every = load_variation("trained").draw([7, 2]).values
    without = variation_of({axis: "off" if axis == "camera" else "on" for axis in AXES}).draw([7, 2]).values
    assert "camera" not in without
    for axis in without:
        for name, numbers in without[axis].items():
            if axis in every and name != "pattern":
                np.testing.assert_allclose(numbers, every[axis][name], err_msg=f"{axis}.{name}")


def test_a_world_is_varied_again_and_again_and_back():
    world = World("fr3")
    varier = Varier(world)
    before = {name: getattr(world.model, name).copy() for name in (*FIELDS, "cam_pos", "light_dir", "geom_rgba")}
    headlight = world.model.vis.headlight.ambient.copy()
    for seed in range(3):
        varier.set(load_variation("trained").draw(seed))
        assert world.action_delay > 0
    varier.set(variation_of({}).draw(0))
    for name, values in before.items():
        np.testing.assert_array_equal(getattr(world.model, name), values, err_msg=name)
    np.testing.assert_array_equal(world.model.vis.headlight.ambient, headlight)
    assert world.action_delay == 0


@pytest.mark.parametrize("name", config_names(FOLDER))
def test_every_file_that_ships_can_be_laid_and_stays_in_its_ranges(name):
    variation = load_variation(name)
    for seed in range(20):
        for axis, parameters in variation.draw(seed).values.items():
            for parameter, numbers in parameters.items():
                if parameter in variation.axes[axis]:
                    low, high = variation.axes[axis][parameter]
                    assert np.all((low <= np.abs(numbers)) & (np.abs(numbers) <= high))
    world = shown([name], seed=2)[1]
    world.step(0.5)
    for pose in world.objects().values():
        assert -0.001 <= pose[2] < 0.04


def test_what_is_held_out_is_never_trained():
    trained, held_out = load_variation("trained").axes, load_variation("held_out").axes
    assert set(trained) == set(held_out)
    for axis, ranges in held_out.items():
        disjoint = [low >= trained[axis][n][1] or high <= trained[axis][n][0] for n, (low, high) in ranges.items()]
        assert any(disjoint), axis


def test_the_default_ranges_are_those_of_training():
    for axis, ranges in load_variation("trained").axes.items():
        for name, given in ranges.items():
            np.testing.assert_allclose(given, AXES[axis][name].default, atol=0.011)


def test_the_arm_starts_elsewhere_on_robots_of_six_and_of_seven_joints():
    for robot in ("fr3", "wx250s"):
        world = World(robot)
        home = Varier(world).home(parse_variation(["arm"]).draw(1))
        difference = np.abs(np.array(home) - world.robot.home)
        assert len(home) == len(world.robot.home)
        assert 0.0 < difference.max() <= 0.08


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["fog"], "unknown variation 'fog'; valid: axes camera, light"),
        (["camera.roll=1:2"], "axis camera: unknown parameter 'roll'; valid: shift, turn, zoom"),
        (["camera.shift=0.1:0.9"], "camera.shift is 0.1 to 0.9; valid: 0 to 0.15"),
        (["camera.shift=0.04:0.02"], "the smaller first"),
        (["camera.shift=near"], "camera.shift is .*; valid: one number"),
        (["gone.yaml"], "is not a file"),
    ],
)
def test_bad_words_are_refused_with_what_is_valid(words, said):
    with pytest.raises(VariationError, match=said):
        parse_variation(words)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ([], "valid: a mapping of axes"),
        ({"fog": "on"}, "unknown axis 'fog'"),
        ({"camera": 3}, "axis camera is 3; valid: on, off"),
        ({"camera": {"shift": [1, 2, 3]}}, "valid: one number, or the least and the greatest"),
        ({"picture": {"jpeg": [0, 50]}}, "picture.jpeg is 0 to 50; valid: 5 to 100"),
    ],
)
def test_bad_files_are_refused_with_what_is_valid(data, said):
    with pytest.raises(VariationError, match=said):
        variation_of(data)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "picture.yaml"
    path.write_bytes(b"\x89PNG\r\n\xff\xfe")
    with pytest.raises(VariationError, match="cannot read the file"):
        load_variation(str(path))


def test_words_add_to_a_file():
    variation = parse_variation(["held_out", "camera.shift=0.01"])
    assert variation.axes["camera"]["shift"] == (0.01, 0.01)
    assert variation.axes["camera"]["turn"] == (5.0, 7.0)
