# SPDX-License-Identifier: Apache-2.0
"""What can be done with any LeRobot data set: look at it, join several, take a part of one."""
