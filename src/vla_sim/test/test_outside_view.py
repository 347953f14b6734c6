# SPDX-License-Identifier: Apache-2.0
"""The decorated view is of the same world, and the policy's pictures do not depend on it, to the last bit."""

import numpy as np
import pytest
from vla_sim.world.camera import Camera
from vla_sim.world.outside_view import OutsideCamera, build_outside_view, wood
from vla_sim.world.scene import BLOCK_HALF, CAMERA, VIEWER_CAMERA, WRIST_CAMERA


@pytest.fixture
def laid(world):
    world.place("red block", (world.robot.table_center_x, 0.08, BLOCK_HALF))
    world.place("bowl", (world.robot.table_center_x, -0.08, 0.0))
    return world


def policy_pictures(world) -> list[np.ndarray]:
    with Camera(world) as camera:
        return [camera.render(CAMERA), camera.render(WRIST_CAMERA)]


def test_the_policys_pictures_are_the_same_to_the_bit_beside_the_outside_view(laid):
    before = policy_pictures(laid)
    with OutsideCamera(laid) as outside:
        outside.render(VIEWER_CAMERA)
        beside = policy_pictures(laid)
        outside.render(VIEWER_CAMERA)
    for first, second in zip(before, beside, strict=True):
        np.testing.assert_array_equal(first, second)


def test_joints_and_cameras_are_those_of_the_simulated_model(laid):
    shown, model = build_outside_view(laid.robot), laid.model
    assert shown.nq == model.nq
    names = [[m.joint(i).name for i in range(m.njnt)] for m in (shown, model)]
    assert names[0] == names[1]
    np.testing.assert_array_equal(shown.jnt_qposadr, model.jnt_qposadr)
    for name in (CAMERA, VIEWER_CAMERA):
        np.testing.assert_array_equal(shown.camera(name).pos, model.camera(name).pos)


def test_the_outside_view_follows_the_world_and_has_shadow_and_grain(laid):
    with OutsideCamera(laid) as outside:
        first = outside.render(VIEWER_CAMERA)
        laid.place("red block", (laid.robot.table_center_x, 0.02, BLOCK_HALF))
        second = outside.render(VIEWER_CAMERA)
    with Camera(laid, 460, 640) as plain:
        flat = plain.render(VIEWER_CAMERA)
    assert first.shape == (460, 640, 3)
    assert not np.array_equal(first, second)
    table = np.s_[-60:-20, 250:390]  # near edge of the table
    assert first[table].std() > 3.0 * max(1.0, flat[table].std(axis=(0, 1)).max())


def test_the_wood_is_the_same_everywhere():
    assert wood().shape == (512, 512, 3)
    np.testing.assert_array_equal(wood(), wood())
    assert not np.array_equal(wood(1), wood(2))
