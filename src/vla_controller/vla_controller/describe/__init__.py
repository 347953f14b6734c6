# SPDX-License-Identifier: Apache-2.0
"""`vla robot`: writes the robot file of an arm from its URDF, and checks one. No ROS."""
