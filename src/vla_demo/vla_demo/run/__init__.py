# SPDX-License-Identifier: Apache-2.0
"""A run of the graph without ROS: plan, session, samples, summary."""
