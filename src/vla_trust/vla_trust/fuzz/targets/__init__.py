# SPDX-License-Identifier: Apache-2.0
"""What is fuzzed, by the kind of its input. None of these modules imports ROS."""
