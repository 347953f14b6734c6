# SPDX-License-Identifier: Apache-2.0
"""Action chunks to jerk-limited joint trajectories at 20 Hz: interpolation, inverse kinematics, limits, safety gate."""
