# SPDX-License-Identifier: Apache-2.0
"""Franka Research 3 over libfranka's own protocol, without a ROS driver."""
