# SPDX-License-Identifier: Apache-2.0
"""ROS messages with random contents, and what reads them."""
