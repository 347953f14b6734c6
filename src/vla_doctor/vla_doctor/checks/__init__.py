# SPDX-License-Identifier: Apache-2.0
"""The checks, free of ROS: what was found in, verdicts out."""
