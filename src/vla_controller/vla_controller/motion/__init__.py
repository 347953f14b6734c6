# SPDX-License-Identifier: Apache-2.0
"""From accepted steps to jerk-limited setpoints."""
