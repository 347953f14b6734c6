# SPDX-License-Identifier: Apache-2.0
"""Geometry of the perceived scene: rays, supports, memory."""

import math

import numpy as np
import pytest
from vla_perception.errors import ImageError
from vla_perception.scene.detector import Detection, SceneDetector, SceneWeightsError
from vla_perception.scene.memory import SceneMemory
from vla_perception.scene.overlay import draw
from vla_perception.scene.projection import CameraPose, matrix_of
from vla_perception.scene.support import Hand, Supports, place

K = np.array([[513.0, 0, 159.5], [0, 513.0, 127.5], [0, 0, 1.0]])
LOOKING_DOWN = CameraPose(K, np.diag([1.0, -1.0, -1.0]), np.array([0.5, 0.0, 1.0]))
OBLIQUE = CameraPose(K, np.array([[0, 0.62, -0.784], [1, 0, 0], [0, -0.784, -0.62]]), np.array([1.22, 0.0, 0.62]))


@pytest.mark.parametrize("camera", [LOOKING_DOWN, OBLIQUE])
def test_projection_and_rays_are_inverse(camera: CameraPose):
    points = np.random.default_rng(0).uniform((0.4, -0.2, 0.0), (0.6, 0.2, 0.1), (50, 3))
    back = camera.on_plane(camera.project(points), points[:, 2])
    assert np.allclose(back, points, atol=2e-3 if camera is OBLIQUE else 1e-9)


def test_a_resized_picture_has_a_resized_camera():
    points = np.array([[0.45, 0.1, 0.02]])
    half = LOOKING_DOWN.scaled((256, 320), (128, 160))
    assert np.allclose((half.project(points) + 0.5) * 2, LOOKING_DOWN.project(points) + 0.5)


def test_rays_that_never_reach_a_plane_are_nan():
    assert np.isnan(LOOKING_DOWN.on_plane(np.array([[10.0, 10.0]]), np.array([2.0]))).all()


def test_matrix_of_a_quaternion_turns_about_its_axis():
    half = math.radians(45)
    turned = matrix_of(np.array([0.0, 0.0, 2 * math.sin(half), 2 * math.cos(half)])) @ [1.0, 0.0, 0.0]
    assert np.allclose(turned, [0.0, 1.0, 0.0])


def pixel_of(point: tuple[float, float, float]) -> tuple[float, float]:
    u, v = OBLIQUE.project(np.array([point]))[0]
    return float(u), float(v)


def test_the_support_on_the_ray_that_is_nearest_to_the_estimate_decides_the_height():
    bowl, upper = (0.5, 0.0, 0.0), (0.5, 0.01, 0.068)
    found = place("red block", pixel_of(upper), 0.055, OBLIQUE, bowl, None, Supports())
    assert np.allclose(found, upper, atol=3e-3)
    on_table = place("red block", pixel_of((0.42, 0.15, 0.02)), 0.06, OBLIQUE, bowl, None, Supports())
    assert np.allclose(on_table, (0.42, 0.15, 0.02), atol=3e-3)


def test_a_block_in_the_closed_fingers_is_where_the_tool_is():
    tool = (0.5, 0.0, 0.18)
    held = place("red block", pixel_of(tool), 0.15, OBLIQUE, None, Hand(tool, 0.04), Supports())
    assert held == tool
    open_hand = place("red block", pixel_of(tool), 0.15, OBLIQUE, None, Hand(tool, 0.08), Supports())
    assert open_hand[2] == pytest.approx(0.02)


def seen(name: str, x: float, y: float) -> Detection:
    return Detection(name, (x, y, 0.02), (0.0, 0.0), 0.9)


def names(detections: tuple[Detection, ...]) -> set[str]:
    return {detection.name for detection in detections}


def test_what_the_bowl_or_the_hand_hides_is_remembered_and_the_rest_is_forgotten():
    memory = SceneMemory()
    memory.update([seen("bowl", 0.5, 0.2), seen("red block", 0.5, 0.2), seen("blue block", 0.5, -0.1)], 0.0)
    later = memory.update([seen("bowl", 0.5, 0.2)], 0.5, (0.5, -0.1, 0.1))
    assert names(later) == {"bowl", "red block", "blue block"}
    far = (0.3, 0.3, 0.4)
    memory.update([seen("bowl", 0.5, 0.2)], 1.0, far)
    assert names(memory.update([seen("bowl", 0.5, 0.2)], 3.0, far)) == {"bowl", "red block"}


def test_a_missing_network_and_a_wrong_picture_are_refused_in_words(tmp_path):
    with pytest.raises(SceneWeightsError, match="vla train scene"):
        SceneDetector(tmp_path)
    with pytest.raises(ImageError, match="uint8"):
        SceneDetector(threads=1).detect(np.zeros((4, 4), np.uint8), OBLIQUE)


def test_the_overlay_leaves_the_picture_alone():
    picture = np.zeros((64, 64, 3), np.uint8)
    drawn = draw(picture, [Detection("bowl", (0.5, 0.0, 0.0), (30.0, 30.0), 0.9)])
    assert drawn.any()
    assert not picture.any()
