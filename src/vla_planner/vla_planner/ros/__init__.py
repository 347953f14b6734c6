# SPDX-License-Identifier: Apache-2.0
"""The planner over ROS."""
