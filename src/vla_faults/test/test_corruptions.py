# SPDX-License-Identifier: Apache-2.0
"""Wrong contents: of the right type, different, drawn from the seed, and never made in place."""

import copy
import math
import random

import numpy as np
import pytest
from geometry_msgs.msg import PoseStamped
from rclpy.serialization import deserialize_message, serialize_message
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint
from vla_faults.ros.types import message_type

from vla_faults import CORRUPTIONS, Fault, FaultError, corruption
from vla_msgs.msg import ActionChunk, ActionStep, CameraImage, Instruction, Observation, OperatorHeartbeat

JOINTS = [f"joint{k}" for k in range(7)]
QUOTED = [0.1, -0.5, 0.2, -2.0, 0.3, 1.5, 0.7]


def picture() -> Image:
    pixels = np.arange(8 * 12 * 3, dtype=np.uint8)
    return Image(height=8, width=12, encoding="rgb8", step=36, data=pixels.tobytes())


def examples():
    point = JointTrajectoryPoint(positions=QUOTED)
    step = ActionStep(joints=QUOTED)
    step.translation.x = 0.01
    made = {
        "sensor_msgs/Image": picture(),
        "sensor_msgs/JointState": JointState(name=JOINTS, position=QUOTED, velocity=[0.1] * 7, effort=[0.0] * 7),
        "vla_msgs/Observation": Observation(
            joint_names=JOINTS, joint_position=QUOTED, ee_pose_valid=True, images=[CameraImage(image=picture())]
        ),
        "vla_msgs/ActionChunk": ActionChunk(joint_names=JOINTS, period=0.2, steps=[step], instruction_id="a"),
        "trajectory_msgs/JointTrajectory": JointTrajectory(joint_names=JOINTS, points=[point]),
        "vla_msgs/Instruction": Instruction(id="a", text="pick up the red block", sequence=3),
        "vla_msgs/OperatorHeartbeat": OperatorHeartbeat(sequence=3),
        "geometry_msgs/PoseStamped": PoseStamped(),
        "std_msgs/String": String(data="pick up the red block"),
        "rosgraph_msgs/Clock": Clock(),
    }
    for message in made.values():
        if hasattr(message, "header"):
            message.header.stamp.sec = 103
    made["rosgraph_msgs/Clock"].clock.sec = 100
    return made


PAIRS = [(kind, name) for kind, known in CORRUPTIONS.items() for name in known]


@pytest.mark.parametrize(("kind", "name"), PAIRS, ids=lambda word: word.split("/")[-1])
def test_a_corruption_changes_the_message_and_leaves_the_original(kind, name):
    message = examples()[kind]
    before = copy.deepcopy(message)
    found = corruption(kind, Fault.parse(f"wrong:{name}"))(message, 0.0, random.Random(1))
    assert message == before
    assert type(found) is message_type(kind)
    assert serialize_message(found) != serialize_message(message)


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_garbage_is_of_the_type_and_drawn_from_the_seed(kind):
    garbage = corruption(kind, Fault.parse("garbage"))
    made = [serialize_message(garbage(examples()[kind], 0.0, random.Random(seed))) for seed in (1, 1, 2, 3)]
    assert made[0] == made[1]
    assert len({bytes(item) for item in made}) > 1
    assert all(deserialize_message(item, message_type(kind)) is not None for item in made)


def test_garbage_has_numbers_that_are_none():
    garbage = corruption("sensor_msgs/JointState", Fault.parse("garbage"))
    drawn = [garbage(examples()["sensor_msgs/JointState"], 0.0, random.Random(seed)) for seed in range(50)]
    assert any(not math.isfinite(value) for message in drawn for value in message.position)


def test_a_rotated_picture_rotated_again_is_the_picture():
    rotate = corruption("sensor_msgs/Image", Fault.parse("wrong:rotated"))
    twice = rotate(rotate(picture(), 0.0, random.Random(0)), 0.0, random.Random(0))
    assert bytes(twice.data) == bytes(picture().data)


def test_wrong_alone_is_the_first_corruption():
    message = examples()["sensor_msgs/JointState"]
    found = corruption("sensor_msgs/JointState", Fault.parse("wrong"))(message, 0.0, random.Random(0))
    assert found.position[0] == pytest.approx(QUOTED[0] + 0.3)


def test_an_unknown_corruption_is_refused_with_those_that_there_are():
    with pytest.raises(FaultError, match="valid: rotated, black"):
        corruption("sensor_msgs/Image", Fault.parse("wrong:pink"))
