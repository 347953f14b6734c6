# SPDX-License-Identifier: Apache-2.0
"""The ROS side of the demo and of the small commands."""
