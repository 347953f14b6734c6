# SPDX-License-Identifier: Apache-2.0
"""A chunk in another frame means the same motion."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from vla_controller.bench.rig import Bench
from vla_controller.intake.frames import FrameTree, chunk_in, combined, inverse
from vla_controller.intake.targets import pose_targets
from vla_core.action import ActionMode, ActionStep, DeltaReference
from vla_core.rotation import Pose, from_rotation_vector

RNG = np.random.default_rng(3)


def random_pose() -> Pose:
    return Pose(RNG.normal(size=3), from_rotation_vector(RNG.normal(size=3)))


def matrix(pose: Pose) -> np.ndarray:
    made = np.eye(4)
    made[:3, :3], made[:3, 3] = Rotation.from_quat(pose.quaternion).as_matrix(), pose.position
    return made


def test_poses_combine_and_invert_as_matrices_do() -> None:
    for _ in range(50):
        a, b = random_pose(), random_pose()
        assert np.allclose(matrix(combined(a, b)), matrix(a) @ matrix(b))
        assert np.allclose(matrix(inverse(a)), np.linalg.inv(matrix(a)))


def test_any_two_frames_of_a_tree_are_joined() -> None:
    tree, world = FrameTree(), {"world": np.eye(4)}
    for child, parent in (("base", "world"), ("table", "world"), ("corner", "table"), ("camera", "corner")):
        pose = random_pose()
        assert tree.set(parent, child, pose)
        world[child] = world[parent] @ matrix(pose)
    for frame in world:
        for base in world:
            pose = tree.pose(frame, base)
            assert pose is not None
            assert np.allclose(matrix(pose), np.linalg.inv(world[base]) @ world[frame])


def test_unknown_frames_circles_and_invalid_transforms() -> None:
    tree = FrameTree()
    assert tree.pose("a", "b") is None
    tree.set("b", "a", random_pose())
    tree.set("a", "b", random_pose())
    assert tree.pose("a", "c") is None
    for pose in (
        Pose(np.full(3, np.nan), np.array([0.0, 0.0, 0.0, 1.0])),
        Pose(np.zeros(3), np.zeros(4)),
        Pose(np.zeros(3), np.full(4, np.nan)),
    ):
        assert not tree.set("base", "camera", pose)
    assert not tree.set("base", "base", random_pose())
    assert tree.pose("camera", "base") is None


@pytest.mark.parametrize("mode", [ActionMode.EE_DELTA, ActionMode.EE_POSE])
@pytest.mark.parametrize("reference", list(DeltaReference))
def test_a_chunk_leads_to_the_same_targets_in_any_frame(fr3: Bench, mode: ActionMode, reference: int) -> None:
    frame = random_pose()
    steps = [
        ActionStep(0.05 * RNG.normal(size=3), 0.2 * RNG.normal(size=3), pose=random_pose(), gripper=0.5)
        for _ in range(4)
    ]
    here = fr3.chunk(*steps, mode=mode, delta_reference=reference)
    there = chunk_in(here, "camera", inverse(frame))
    back = chunk_in(there, here.frame_id, frame)
    assert there.frame_id == "camera"
    for one, other in zip(pose_targets(here, fr3.pose), pose_targets(back, fr3.pose), strict=True):
        assert np.allclose(matrix(one), matrix(other))
    if mode == ActionMode.EE_POSE or reference == DeltaReference.OBSERVED:
        seen = combined(inverse(frame), fr3.pose)
        for one, other in zip(pose_targets(here, fr3.pose), pose_targets(there, seen), strict=True):
            assert np.allclose(matrix(one), matrix(combined(frame, other)))


def test_what_makes_no_sense_is_left_to_the_gate(fr3: Bench) -> None:
    chunk = fr3.chunk(ActionStep(np.full(3, np.nan), pose=None), observed_pose=Pose(np.zeros(3), np.zeros(4)))
    moved = chunk_in(chunk, fr3.controller.config.base_frame, random_pose())
    refusal = fr3.controller.accept(moved, fr3.now)
    assert refusal is not None
    assert refusal.name == "bad_quaternion"
