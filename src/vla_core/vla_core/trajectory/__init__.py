# SPDX-License-Identifier: Apache-2.0
"""Joint trajectories as drivers take them: checked, then followed as a joint_trajectory_controller follows them."""
