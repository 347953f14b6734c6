# SPDX-License-Identifier: Apache-2.0
"""Recognisers: the grammar of what the robot can do, and free text."""
