# SPDX-License-Identifier: Apache-2.0
"""Everything of this package that touches ROS, besides the node itself."""
