# SPDX-License-Identifier: Apache-2.0
"""What the cameras show, and that their intrinsics are true."""

import mujoco
import numpy as np
import pytest
from vla_sim.world.camera import Camera
from vla_sim.world.scene import BLOCK_COLORS, BLOCK_HALF, CAMERA, WRIST_CAMERA

HEIGHT, WIDTH = 192, 256


@pytest.fixture
def camera(world):
    with Camera(world, HEIGHT, WIDTH) as camera:
        yield camera


def pixels_of(image: np.ndarray, color: tuple[float, float, float]) -> np.ndarray:
    """(k, 2) x, y of the pixels whose hue is nearest to `color` and saturated."""
    value = image.astype(float) / 255.0
    direction = value / np.maximum(np.linalg.norm(value, axis=2, keepdims=True), 1e-6)
    match = direction @ (np.array(color) / np.linalg.norm(color)) > 0.985
    saturated = value.max(axis=2) - value.min(axis=2) > 0.25
    return np.argwhere(match & saturated)[:, ::-1]


def project(world, camera: Camera, point: np.ndarray) -> np.ndarray:
    """Pixel (2,) of a point of the base frame; MuJoCo's cameras look along -z with y up."""
    frame = world.data.camera(CAMERA)
    local = frame.xmat.reshape(3, 3).T @ (point - frame.xpos)
    optical = local * np.array([1.0, -1.0, -1.0])
    pixel = camera.intrinsics() @ optical
    return pixel[:2] / pixel[2]


@pytest.mark.parametrize("color", sorted(BLOCK_COLORS))
def test_a_block_appears_where_the_intrinsics_say(world, camera, color):
    where = np.array([world.robot.table_center_x + 0.05, 0.09, BLOCK_HALF])
    world.place(f"{color} block", where)
    seen = pixels_of(camera.render(), BLOCK_COLORS[color])
    assert len(seen) > 30
    assert np.linalg.norm(seen.mean(axis=0) - project(world, camera, where)) < 4.0


def test_left_of_the_robot_is_right_in_the_picture_of_the_camera_that_faces_it(world, camera):
    world.place("red block", (world.robot.table_center_x, 0.1, BLOCK_HALF))
    assert pixels_of(camera.render(), BLOCK_COLORS["red"])[:, 0].mean() > WIDTH / 2


def test_a_picture_shows_the_moment_of_the_look(world, camera):
    world.place("red block", (world.robot.table_center_x, 0.1, BLOCK_HALF))
    still = camera.render()
    camera.look()
    world.place("red block", (world.robot.table_center_x, -0.1, BLOCK_HALF))
    np.testing.assert_array_equal(camera.image(), still)
    assert not np.array_equal(camera.render(), still)


def test_wrist_camera_moves_with_the_hand(world, camera, reach):
    first = camera.render(WRIST_CAMERA)
    world.reset_robot(reach(world, (world.robot.table_center_x, 0.05, 0.12)))
    mujoco.mj_forward(world.model, world.data)
    assert camera.render(WRIST_CAMERA).shape == (HEIGHT, WIDTH, 3)
    assert not np.array_equal(camera.render(WRIST_CAMERA), first)
