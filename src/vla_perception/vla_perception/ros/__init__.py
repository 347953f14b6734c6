# SPDX-License-Identifier: Apache-2.0
"""What the two nodes share that needs ROS: parameters, messages, diagnostics, start and end of the process."""
