# SPDX-License-Identifier: Apache-2.0
"""Descriptions of arms: where one is, its kinematic tree, and its text."""
