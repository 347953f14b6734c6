# SPDX-License-Identifier: Apache-2.0
"""Demonstrations, datasets, RT-1 training and closed-loop evaluation. Needs no ROS at run time."""
