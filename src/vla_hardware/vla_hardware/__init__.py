# SPDX-License-Identifier: Apache-2.0
"""Drivers of real arms: thin, with the ROS face of the simulator."""
