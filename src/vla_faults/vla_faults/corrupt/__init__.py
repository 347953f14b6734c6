# SPDX-License-Identifier: Apache-2.0
"""Wrong contents of messages, by type: functions of a message, a magnitude and a random generator, free of ROS."""
