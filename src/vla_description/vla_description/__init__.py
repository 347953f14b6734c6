# SPDX-License-Identifier: Apache-2.0
"""Kinematic tree of a URDF, and the node that publishes it where robot_state_publisher is not installed."""

from vla_core.urdf.tree import Joint, Tree, UrdfError, parse_urdf

__all__ = ["Joint", "Tree", "UrdfError", "parse_urdf"]
