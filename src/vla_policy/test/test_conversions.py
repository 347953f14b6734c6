# SPDX-License-Identifier: Apache-2.0
"""Messages to NumPy and back, without a running node."""

from dataclasses import fields, replace

import numpy as np
import pytest

pytestmark = pytest.mark.node
messages = pytest.importorskip("vla_msgs.msg")

from sensor_msgs.msg import Image  # noqa: E402
from vla_core.action import ActionChunk, ActionMode, ActionStep, ActionValueError, DeltaReference  # noqa: E402
from vla_core.ros.action import pose_from_msg, pose_to_msg  # noqa: E402
from vla_core.rotation import Pose  # noqa: E402
from vla_policy.errors import ObservationError  # noqa: E402
from vla_policy.ros.conversions import (  # noqa: E402
    ChunkContext,
    chunk_to_msg,
    observation_from_msg,
    plan_to_msg,
    scene_from_msg,
    status_to_msg,
    task_from_msg,
)
from vla_policy.run.state import State, Status, Task  # noqa: E402

POSE = Pose(np.arange(3.0), np.arange(3.0, 7.0))


def observation_msg(padding: int = 0) -> "messages.Observation":
    rng = np.random.default_rng(0)
    msg = messages.Observation(
        base_frame="fr3_link0", ee_pose_valid=True, joint_names=["a", "b"], joint_position=[1.0, 2.0]
    )
    msg.header.stamp.sec, msg.header.stamp.nanosec = 12, 500_000_000
    image = Image(height=4, width=5, step=15 + padding, encoding="rgb8")
    image.data = rng.integers(0, 256, 4 * (15 + padding)).astype(np.uint8).tobytes()
    msg.images = [messages.CameraImage(name="front", image=image)]
    msg.ee_pose = pose_to_msg(Pose(np.array([0.1, 0.2, 0.3]), np.array([0.0, 1.0, 0.0, 0.0])))
    return msg


@pytest.mark.parametrize("padding", [0, 1, 17])
def test_an_image_with_padded_rows_is_read_right(padding: int) -> None:
    msg = observation_msg(padding)
    observation = observation_from_msg(msg)
    rows = np.frombuffer(bytes(msg.images[0].image.data), np.uint8).reshape(4, 15 + padding)
    np.testing.assert_array_equal(observation.image.reshape(4, 15), rows[:, :15])
    assert observation.stamp == 12.5
    np.testing.assert_array_equal(observation.ee_position, [0.1, 0.2, 0.3])


@pytest.mark.parametrize(
    ("field", "value"), [("step", 14), ("height", 0), ("width", 0), ("height", 5), ("encoding", "mono8"), ("data", b"")]
)
def test_a_malformed_image_is_refused(field: str, value: object) -> None:
    msg = observation_msg()
    setattr(msg.images[0].image, field, value)
    with pytest.raises(ObservationError, match="valid is"):
        observation_from_msg(msg)


def test_images_are_by_camera_and_the_first_is_the_reference() -> None:
    msg = observation_msg()
    other = Image(height=2, width=2, step=6, encoding="rgb8", data=bytes(range(12)))
    msg.images = [*msg.images, messages.CameraImage(name="wrist", image=other)]
    observation = observation_from_msg(msg)
    assert list(observation.images) == ["front", "wrist"]
    assert observation.image is observation.images["front"]
    np.testing.assert_array_equal(observation.images["wrist"].ravel(), np.arange(12))


def test_every_missing_camera_is_named_with_its_reason() -> None:
    msg = observation_msg()
    msg.missing, msg.missing_reasons = ["wrist", "side"], ["0.40 s away; valid is 0.1 s"]
    with pytest.raises(ObservationError, match=r"camera wrist: 0.40 s away; valid is 0.1 s; camera side: no reason"):
        observation_from_msg(msg)


def test_only_cameras_that_are_needed_can_be_missing() -> None:
    msg = observation_msg()
    msg.missing = ["wrist"]
    assert list(observation_from_msg(msg, cameras=("front",)).images) == ["front"]
    with pytest.raises(ObservationError, match="camera wrist: no reason given"):
        observation_from_msg(msg, cameras=("front", "wrist"))
    with pytest.raises(ObservationError, match="no camera side, only front: is camera_node started with the same map"):
        observation_from_msg(msg, cameras=("front", "side"))


def test_the_scene_is_by_name() -> None:
    scene = scene_from_msg(messages.SceneState(names=["bowl", "red block"], poses=[pose_to_msg(POSE)] * 2))
    assert set(scene) == {"bowl", "red block"}
    np.testing.assert_array_equal(scene["bowl"], np.arange(7.0))


def test_an_unknown_kind_of_instruction_halts() -> None:
    assert task_from_msg(messages.Instruction(kind=7)).stop
    assert not task_from_msg(messages.Instruction(kind=messages.Instruction.KIND_TASK)).stop


def chunk(mode: ActionMode, joint_names: tuple[str, ...] = (), joints: object = None) -> ActionChunk:
    steps = tuple(
        ActionStep(np.ones(3) * k, gripper=0.5, joints=joints if joint_names else None, pose=POSE) for k in range(2)
    )
    return ActionChunk(
        12.5,
        mode,
        DeltaReference.COMMANDED,
        0.2,
        steps,
        joint_names,
        tokens=np.array([[1, 2, 3], [4, 5, 255]], np.uint16),
        token_probabilities=np.full((2, 3), 0.5, np.float32),
        dimension_names=("x", "y", "z"),
    )


def test_a_chunk_takes_stamp_frame_and_pose_from_its_observation() -> None:
    source = observation_msg()
    msg = chunk_to_msg(chunk(ActionMode.EE_DELTA), ChunkContext(source, "id", 0.04))
    assert msg.header.stamp == source.header.stamp
    assert (msg.header.frame_id, msg.instruction_id, msg.inference_time) == ("fr3_link0", "id", 0.04)
    assert msg.observed_pose == source.ee_pose
    assert (list(msg.tokens), list(msg.token_probabilities)) == ([1, 2, 3, 4, 5, 255], [0.5] * 6)
    assert (msg.steps[1].translation.y, msg.steps[1].gripper, msg.delta_reference) == (1.0, 0.5, 1)
    np.testing.assert_array_equal(pose_from_msg(msg.steps[0].pose).quaternion, POSE.quaternion)


def test_joint_deltas_carry_the_observed_joints_in_their_own_order() -> None:
    context = ChunkContext(observation_msg(), "id", 0.0)
    msg = chunk_to_msg(chunk(ActionMode.JOINT_DELTA, ("b", "a"), np.zeros(2)), context)
    assert (list(msg.joint_names), list(msg.observed_joints)) == (["b", "a"], [2.0, 1.0])
    with pytest.raises(ActionValueError, match="not observed; valid are"):
        chunk_to_msg(chunk(ActionMode.JOINT_DELTA, ("b", "c"), np.zeros(2)), context)
    with pytest.raises(ActionValueError, match="step 0 has 2 joints"):
        chunk_to_msg(chunk(ActionMode.JOINT_POSITION, ("b",), np.zeros(2)), context)


def test_a_plan_carries_its_instruction_and_stamp_and_an_empty_one_is_none() -> None:
    context = ChunkContext(observation_msg(), "id", 0.0)
    msg = plan_to_msg(replace(chunk(ActionMode.EE_DELTA), plan=" pick up the block\n"), context)
    assert (msg.text, msg.instruction_id, msg.header.stamp) == (
        "pick up the block",
        "id",
        context.observation.header.stamp,
    )
    assert plan_to_msg(replace(chunk(ActionMode.EE_DELTA), plan=" \n"), context) is None


def test_every_figure_of_the_status_is_in_its_message() -> None:
    status = Status(State.WAITING, "why", Task("id", "text", 1.0), 5.0, 0.1, 0.2, 0.3, 4, 3, 2, 0.5, 6)
    msg = status_to_msg(status, messages.PolicyStatus().header.stamp, "rt2", "weights")
    assert (msg.policy, msg.checkpoint, msg.instruction_id, msg.instruction) == ("rt2", "weights", "id", "text")
    for item in fields(Status):
        if item.name not in ("task", "task_chunks"):
            assert getattr(msg, item.name) == getattr(status, item.name), item.name
