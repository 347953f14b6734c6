# SPDX-License-Identifier: Apache-2.0
"""trajectory_msgs/JointTrajectory from messages."""

from builtin_interfaces.msg import Duration
from trajectory_msgs.msg import JointTrajectory

from vla_core.trajectory.checks import ReceivedPoint


def points_from_msg(message: JointTrajectory) -> list[ReceivedPoint]:
    """Return the points, unchecked."""
    return [
        ReceivedPoint(
            _seconds(point.time_from_start),
            tuple(point.positions),
            tuple(point.velocities),
            tuple(point.accelerations),
        )
        for point in message.points
    ]


def age_from_msg(message: JointTrajectory, now_ns: int) -> float:
    """Return how long ago [s] the trajectory starts by its stamp; 0 for one without a stamp, which starts at once."""
    stamp = message.header.stamp
    stamp_ns = stamp.sec * 1_000_000_000 + stamp.nanosec
    return (now_ns - stamp_ns) * 1e-9 if stamp_ns else 0.0


def _seconds(duration: Duration) -> float:
    return duration.sec + duration.nanosec * 1e-9
