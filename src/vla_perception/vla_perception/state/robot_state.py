# SPDX-License-Identifier: Apache-2.0
"""The robot's state at the moment an image was captured, out of joint states and tool poses."""

from collections.abc import Sequence
from dataclasses import dataclass

from vla_perception.state.joint_state_buffer import JointSample, JointStateBuffer, gripper_width
from vla_perception.state.pose_buffer import PoseBuffer, PoseSample
from vla_perception.state.stamped_ring import NS_PER_S

_SILENT_NS = NS_PER_S // 2  # a source quiet for longer is not waited for


@dataclass(frozen=True, slots=True)
class RobotState:
    """State at one moment, interpolated where it was bracketed."""

    joints: JointSample
    gripper_width: float  # [m], NaN when unknown
    pose: PoseSample | None  # tool centre point in the base frame; None unless known within the tracker's max_gap_s
    gap_s: float  # [s] from the moment to the furthest sample used; inf without any


class RobotStateTracker:
    """Keeps what arrived lately and answers for a moment."""

    def __init__(self, joints: JointStateBuffer, fingers: Sequence[str], max_gap_s: float) -> None:
        self.joints = joints
        self.poses = PoseBuffer()
        self._fingers = tuple(fingers)
        self._max_gap_s = max_gap_s

    def is_worth_waiting(self, stamp_ns: int) -> bool:
        """Whether a source that is still talking has yet to pass ``stamp_ns`` [ns]."""
        newest = [stamp for stamp in (self.joints.newest_ns, self.poses.newest_ns) if stamp is not None]
        return any(stamp_ns - _SILENT_NS < stamp < stamp_ns for stamp in newest)

    def at(self, stamp_ns: int) -> RobotState:
        """The state at ``stamp_ns`` [ns]."""
        joints, pose = self.joints.at(stamp_ns, self._max_gap_s), self.poses.at(stamp_ns)
        if pose is not None and pose.gap_s > self._max_gap_s:
            pose = None
        gap_s = joints.gap_s if pose is None else max(joints.gap_s, pose.gap_s)
        return RobotState(joints, gripper_width(joints, self._fingers), pose, gap_s)
