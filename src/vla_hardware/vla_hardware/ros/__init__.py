# SPDX-License-Identifier: Apache-2.0
"""The ROS face of the drivers."""
