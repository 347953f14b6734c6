# SPDX-License-Identifier: Apache-2.0
"""Success is judged on physics: what the arm means to do does not count."""

import numpy as np
import pytest
from vla_core.trajectory.spline import TrajectoryPoint
from vla_sim.task.task import HOLD_TIME, SuccessTest, Task, TaskError
from vla_sim.world.scene import BLOCK_HALF, BOWL

RED, BLUE = "red block", "blue block"


def run(world, test: SuccessTest, seconds: float) -> bool:
    """The verdict after some time of physics."""
    verdict = False
    for _ in range(round(seconds / 0.05)):
        world.step(0.05)
        verdict = test.update()
    return verdict


def go(world, joints, seconds: float = 1.0) -> None:
    world.command_arm([TrajectoryPoint(seconds, np.asarray(joints), np.zeros(len(joints)))])


def close(world) -> None:
    world.command_gripper(world.robot.finger_closed)


@pytest.fixture
def spot(world) -> tuple[float, float]:
    return world.robot.table_center_x, 0.0


def lay(world, name: str, x: float, y: float, z: float = BLOCK_HALF) -> None:
    world.place(name, (x, y, z))


def grasp(world, reach, spot) -> None:
    """The hand around the red block, closed."""
    lay(world, RED, *spot)
    world.reset_robot(reach(world, (*spot, 0.02)))
    close(world)
    world.step(0.6)


def test_pick_counts_once_the_block_has_been_up_in_the_hand_for_a_while(world, reach, spot):
    grasp(world, reach, spot)
    test = SuccessTest(world, Task("pick", RED))
    assert not run(world, test, 1.0)  # grasped, but not lifted
    go(world, reach(world, (*spot, 0.15)))
    held_since = None
    for _ in range(60):
        world.step(0.05)
        verdict = test.update()
        if held_since is None and test.holds_now():
            held_since = world.time
        if verdict:
            break
    assert verdict
    assert world.time - held_since == pytest.approx(HOLD_TIME, abs=0.06)
    world.command_gripper(world.robot.finger_open)
    assert not run(world, test, 1.0)  # dropped


def test_pick_does_not_count_a_hand_that_closed_above_the_block_and_rose(world, reach, spot):
    lay(world, RED, *spot)
    world.reset_robot(reach(world, (*spot, 0.08)))
    close(world)
    test = SuccessTest(world, Task("pick", RED))
    world.step(0.6)
    go(world, reach(world, (*spot, 0.2)))
    assert not run(world, test, 2.0)


def test_pick_does_not_count_a_block_in_the_air_without_a_hand(world, spot):
    lay(world, RED, *spot, 0.3)
    test = SuccessTest(world, Task("pick", RED))
    world.reset_robot(world.robot.home)
    assert not test.holds_now()


def test_pick_does_not_count_another_block(world, reach, spot):
    grasp(world, reach, spot)
    lay(world, BLUE, spot[0], spot[1] + 0.14)
    test = SuccessTest(world, Task("pick", BLUE))
    go(world, reach(world, (*spot, 0.15)))
    assert not run(world, test, 2.0)


def test_place_counts_in_the_bowl_and_not_beside_or_above(world, spot):
    x, y = spot
    lay(world, BOWL, x, y, 0.001)
    lay(world, RED, x, y + 0.13)
    test = SuccessTest(world, Task("place", RED, BOWL))
    assert not run(world, test, 0.5)
    lay(world, RED, x, y, 0.25)
    assert not test.holds_now()
    assert run(world, test, 1.5)


def test_place_does_not_count_while_the_hand_still_holds_the_block(world, reach, spot):
    x, y = spot
    lay(world, BOWL, x, y, 0.001)
    lay(world, RED, x, y, 0.06)
    world.reset_robot(reach(world, (x, y, 0.06)))
    close(world)
    world.step(0.6)
    test = SuccessTest(world, Task("place", RED, BOWL))
    assert world.touching_fingers(RED)
    assert not run(world, test, 1.0)
    world.command_gripper(world.robot.finger_open)
    world.step(0.5)
    go(world, reach(world, (x, y, 0.18)))
    assert run(world, test, 2.0)


def test_near_counts_close_by_on_the_table_with_the_target_unmoved(world, spot):
    x, y = spot
    lay(world, BLUE, x, y)
    lay(world, RED, x, y + 0.16)
    test = SuccessTest(world, Task("near", RED, BLUE))
    assert not run(world, test, 0.6)
    lay(world, RED, x, y + 0.12)
    assert not run(world, test, 0.6)  # nearer, but not near
    lay(world, RED, x, y + 0.08)
    assert run(world, test, 0.6)
    lay(world, RED, x, y, 3 * BLOCK_HALF)
    assert not run(world, test, 0.6)  # on top of it


def test_near_does_not_count_when_the_target_was_brought_to_the_object(world, spot):
    x, y = spot
    lay(world, BLUE, x, y)
    lay(world, RED, x, y + 0.16)
    test = SuccessTest(world, Task("near", RED, BLUE))
    lay(world, BLUE, x, y + 0.08)
    assert not run(world, test, 0.6)


@pytest.mark.parametrize(("side", "sign"), [("left", 1.0), ("right", -1.0)])
def test_push_counts_beyond_the_line_on_the_right_side_after_a_way(world, side, sign):
    x, line = world.robot.table_center_x, world.robot.side_line_y
    lay(world, RED, x, 0.0)
    test = SuccessTest(world, Task("push", RED, side))
    lay(world, RED, x, sign * (line - 0.03))
    assert not run(world, test, 0.6)  # on the way
    lay(world, RED, x, -sign * (line + 0.02))
    assert not run(world, test, 0.6)  # the wrong side
    lay(world, RED, x, sign * (line + 0.02))
    assert run(world, test, 0.6)


def test_push_does_not_count_a_block_that_lay_there_already(world):
    x, line = world.robot.table_center_x, world.robot.side_line_y
    lay(world, RED, x, line + 0.01)
    test = SuccessTest(world, Task("push", RED, "left"))
    assert not run(world, test, 0.6)


@pytest.mark.parametrize("task", [Task("pick", RED), Task("near", BLUE, RED), Task("place", BLUE, BOWL)])
def test_a_task_about_something_that_is_not_there_is_refused(world, spot, task):
    lay(world, BLUE, *spot)
    with pytest.raises(TaskError, match=r"not on the table; there: blue block"):
        SuccessTest(world, task)
