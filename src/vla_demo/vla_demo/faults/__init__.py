# SPDX-License-Identifier: Apache-2.0
"""Faults that are let happen in the running graph, what is promised in each, and whether it was kept. No ROS."""
