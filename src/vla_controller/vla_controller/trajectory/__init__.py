# SPDX-License-Identifier: Apache-2.0
"""Planned trajectories of other programs: goals, curves, execution, ownership of the arm."""
