# SPDX-License-Identifier: Apache-2.0
"""The arrows of the graph: their topics, types and quality of service, as data."""

from __future__ import annotations

from dataclasses import dataclass, replace

PREFIX = "faults/"  # the name that a consumer reads instead of TOPIC is faults/TOPIC


@dataclass(frozen=True, slots=True)
class Arrow:
    """A topic between two nodes. `sensor`: received at best effort; `lossy`: sent so too; `depth` of the queues."""

    name: str
    topic: str
    type_name: str
    sensor: bool = False
    depth: int = 10
    lossy: bool = False

    @property
    def detour(self) -> str:
        """The topic that the consumers read."""
        return PREFIX + self.topic.lstrip("/")


SETPOINTS, GRIPPER = "setpoints", "gripper"  # their topics are those of the robot
_ARROWS = (
    Arrow("camera", "camera/image_raw", "sensor_msgs/Image", sensor=True, depth=5, lossy=True),
    Arrow("joint_states", "joint_states", "sensor_msgs/JointState", sensor=True, depth=5),
    Arrow("observation", "vla/observation", "vla_msgs/Observation", sensor=True, depth=2, lossy=True),
    Arrow("chunks", "vla/action_chunk", "vla_msgs/ActionChunk"),
    Arrow("instruction", "vla/instruction", "vla_msgs/Instruction"),
    Arrow("heartbeat", "vla/operator_heartbeat", "vla_msgs/OperatorHeartbeat"),
    Arrow("commands", "vla/text_command", "std_msgs/String"),
    Arrow("ee_pose", "vla/ee_pose", "geometry_msgs/PoseStamped"),
    Arrow(SETPOINTS, "", "trajectory_msgs/JointTrajectory"),
    Arrow(GRIPPER, "", "trajectory_msgs/JointTrajectory"),
    Arrow("clock", "/clock", "rosgraph_msgs/Clock"),
)


def arrows(arm_topic: str, gripper_topic: str, clock: bool) -> dict[str, Arrow]:
    """Return the arrows by name, with the robot's own topics; `clock`: whether the graph runs in simulated time."""
    own = {SETPOINTS: arm_topic, GRIPPER: gripper_topic}
    found = {arrow.name: replace(arrow, topic=own.get(arrow.name, arrow.topic)) for arrow in _ARROWS}
    return {name: arrow for name, arrow in found.items() if name != "clock" or clock}
