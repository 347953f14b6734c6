# SPDX-License-Identifier: Apache-2.0
"""Recorded actions as training data: any LeRobot data set, by an observation map or as plain numbers."""
