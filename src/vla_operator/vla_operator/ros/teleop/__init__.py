# SPDX-License-Identifier: Apache-2.0
"""ROS side of teleoperation."""
