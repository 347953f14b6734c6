# SPDX-License-Identifier: Apache-2.0
"""What to check before an arm moves: the machine, the ROS graph, the robot."""
