# SPDX-License-Identifier: Apache-2.0
"""The arm itself: kinematic model, inverse kinematics, clearance, and a watch over its measured joints."""
