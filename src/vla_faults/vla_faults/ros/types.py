# SPDX-License-Identifier: Apache-2.0
"""The classes of the messages on the arrows."""

from typing import Any

from geometry_msgs.msg import PoseStamped
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory

from vla_msgs.msg import ActionChunk, Instruction, Observation, OperatorHeartbeat

TYPES = (
    PoseStamped,
    Clock,
    Image,
    JointState,
    String,
    JointTrajectory,
    ActionChunk,
    Instruction,
    Observation,
    OperatorHeartbeat,
)
_BY_NAME = {f"{kind.__module__.partition('.')[0]}/{kind.__name__}": kind for kind in TYPES}


def message_type(name: str) -> Any:
    """Return the class of a type such as "sensor_msgs/Image"."""
    return _BY_NAME[name]
