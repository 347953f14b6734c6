# SPDX-License-Identifier: Apache-2.0
"""The simulation behind the node: tasks, stamps, refusals, and threads."""

import threading

import numpy as np
import pytest
from vla_core.settings import SettingsError
from vla_core.trajectory.spline import TrajectoryPoint
from vla_sim.settings import Settings
from vla_sim.task.task import FAMILIES, TaskError
from vla_sim.variation.axes import VariationError
from vla_sim.world.camera import Camera
from vla_sim.world.scene import BLOCKS, BOWL, CAMERA
from vla_sim.world.simulation import MAX_TEXT, DivergedError, Simulation
from vla_sim.world.world import World


@pytest.fixture
def simulation(world) -> Simulation:
    return Simulation(world, seed=1)


def test_starts_with_a_table_but_without_a_task(simulation):
    assert simulation.scene().objects
    assert simulation.task() is None
    simulation.advance(100, 7)
    assert simulation.task() is None


@pytest.mark.parametrize("family", FAMILIES)
def test_a_drawn_task_is_of_its_family_and_repeatable(simulation, family):
    robot = simulation.joints().positions
    text, task = simulation.set_task("", family, seed=4)
    objects = simulation.scene().objects
    assert task.family == family
    assert task.object in objects
    assert simulation.set_task("", family, seed=4) == (text, task)
    assert {name: pose.tolist() for name, pose in simulation.scene().objects.items()} == {
        name: pose.tolist() for name, pose in objects.items()
    }
    np.testing.assert_array_equal(simulation.joints().positions, robot)
    reading = simulation.task()
    assert (reading.instruction, reading.family, reading.success, reading.elapsed) == (text, family, False, 0.0)


def test_an_instruction_in_other_words_keeps_them(simulation):
    text, task = simulation.set_task("  grab   the green cube ", seed=2)
    assert text == "grab the green cube"
    assert (task.family, task.object) == ("pick", "green block")
    assert "green block" in simulation.scene().objects


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"instruction": "make coffee"}, "pick up the red block"),
        ({"instruction": "x" * (MAX_TEXT + 1)}, str(MAX_TEXT)),
        ({"instruction": "", "family": "fold"}, "pick, place, near, push"),
        ({"instruction": "", "seed": -1}, "0 or more"),
        ({"instruction": "move the red block next to the red block"}, "valid"),
    ],
)
def test_a_refused_task_changes_nothing(simulation, arguments, reason):
    simulation.set_task("pick up the red block", seed=3)
    before = simulation.scene().objects
    with pytest.raises(TaskError, match=reason):
        simulation.set_task(**arguments)
    after = simulation.scene().objects
    assert {name: pose.tolist() for name, pose in before.items()} == {n: pose.tolist() for n, pose in after.items()}
    assert simulation.task().instruction == "pick up the red block"


def test_objects_can_be_kept(simulation):
    _, task = simulation.set_task("", "place", seed=5)
    before = simulation.scene().objects
    text, _ = simulation.set_task(f"pick up the {task.object}", keep_objects=True)
    assert simulation.task().instruction == text
    assert list(simulation.scene().objects) == list(before)
    absent = next(block for block in BLOCKS if block not in before)
    with pytest.raises(TaskError, match="not on the table"):
        simulation.set_task(f"pick up the {absent}", keep_objects=True)
    _, drawn = simulation.set_task("", seed=6, keep_objects=True)
    assert drawn.object in before


def test_a_low_hand_is_kept_clear_of_the_bowl(world, simulation, reach):
    world.reset_robot(reach(world, (world.robot.table_center_x, 0.05, 0.05)))
    tcp = world.tcp_pose()
    for seed in range(8):
        simulation.set_task("", "place", seed=seed)
        for name, pose in simulation.scene().objects.items():
            gap = np.hypot(*(pose[:2] - tcp[:2]))
            assert gap >= (0.14 if name == BOWL else 0.09)
        simulation.advance(50, 0)
        assert all(not world.touching_fingers(name) for name in simulation.scene().objects)


def test_success_is_seen_by_the_clock_of_the_physics(world, simulation):
    simulation.set_task("push the red block to the left", seed=1)
    world.place("red block", (world.robot.table_center_x, world.robot.side_line_y + 0.05, 0.02))
    simulation.advance(150, 0)
    assert not simulation.task().success  # 0.3 s: not yet long enough
    simulation.advance(100, 0)
    assert simulation.task().success
    assert simulation.task().elapsed == pytest.approx(0.5)


def test_readings_carry_the_stamp_of_their_state(simulation):
    simulation.advance(5, 123)
    assert simulation.joints().stamp_ns == simulation.scene().stamp_ns == 123


def test_diverged_physics_is_an_error_and_not_a_new_world(world, simulation):
    simulation.advance(50, 0)
    world.data.qvel[0] = np.nan
    with pytest.raises(DivergedError):
        simulation.advance(5, 0)


def test_threads_may_use_it_together(world, simulation):
    """Readings taken while others step, command and lay tables are whole and finite."""
    stop = threading.Event()
    errors: list[Exception] = []

    def repeat(action):
        try:
            while not stop.is_set():
                action()
        except Exception as error:
            errors.append(error)

    home = np.array(world.robot.home)
    actions = [
        lambda: simulation.advance(5, 1),
        lambda: simulation.command_arm([TrajectoryPoint(0.05, home, np.zeros_like(home))]),
        lambda: simulation.set_task("", "pick", seed=9),
    ]
    threads = [threading.Thread(target=repeat, args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    for _ in range(100):
        reading = simulation.scene()
        assert all(np.isfinite(pose).all() for pose in reading.objects.values())
        assert np.isfinite(simulation.joints().positions).all()
    stop.set()
    for thread in threads:
        thread.join()
    assert not errors


@pytest.mark.parametrize(("name", "value"), [("camera_rate", -1.0), ("camera_width", 0), ("action_delay", 9.0)])
def test_settings_outside_their_range_are_refused_with_it(name, value):
    with pytest.raises(SettingsError, match=rf"{name} is {value:g}.*valid: .* to "):
        Settings(**{name: value})


def test_the_wrist_camera_is_off_unless_it_is_asked_for_by_rate_or_by_view():
    assert Settings().wrist_rate == 0.0
    assert Settings(wrist_view=True, camera_rate=15.0).wrist_rate == 15.0
    assert (
        Settings(wrist_camera_rate=5.0).wrist_rate == Settings(wrist_camera_rate=5.0, wrist_view=True).wrist_rate == 5.0
    )


def front(simulation: Simulation, name: str = CAMERA) -> np.ndarray:
    with Camera(simulation.world) as camera:
        simulation.look(camera, name)
        return camera.image().astype(int)


def test_with_a_variation_every_task_has_a_table_that_its_seed_repeats():
    simulation = Simulation.varied("fr3", 0.05, 1, "trained camera.shift=0.03:0.04")
    shots = []
    for seed in (3, 4, 3):
        simulation.set_task("pick up the red block", seed=seed)
        shots.append(front(simulation))
        assert simulation.world.action_delay > 0.05
    np.testing.assert_array_equal(shots[0], shots[2])
    assert np.abs(shots[0] - shots[1]).max(axis=2).mean() > 5
    before = simulation.world.model.cam_pos.copy()
    simulation.set_task("pick up the red block", seed=9, keep_objects=True)
    np.testing.assert_array_equal(simulation.world.model.cam_pos, before)  # the table stays


def test_a_varied_camera_tells_its_own_field_of_view():
    simulation = Simulation.varied("fr3", 0.0, 1, "camera.zoom=0.2")
    with Camera(simulation.world) as camera, Camera(World("fr3")) as plain:
        assert camera.intrinsics()[0, 0] != pytest.approx(plain.intrinsics()[0, 0], rel=0.05)


def test_without_a_variation_nothing_differs():
    plain, varied = Simulation(World("fr3"), seed=2), Simulation.varied("fr3", 0.0, 2, "")
    for simulation in (plain, varied):
        simulation.set_task("pick up the red block", seed=3)
    np.testing.assert_array_equal(front(plain), front(varied))


def test_a_delay_that_is_set_live_is_the_one_that_a_drawn_one_is_added_to():
    simulation = Simulation.varied("fr3", 0.0, 1, "delay.action=0.1")
    simulation.set_action_delay(0.2)
    simulation.set_task("pick up the red block", seed=3)
    assert simulation.world.action_delay == pytest.approx(0.3)


def test_a_variation_that_does_not_render_is_refused():
    with pytest.raises(VariationError, match="valid: 0 to 0"):
        Simulation.varied("fr3", 0.0, 1, "camera.shift=0.1:3")
