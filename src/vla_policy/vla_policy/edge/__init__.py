# SPDX-License-Identifier: Apache-2.0
"""Policies across the robot and a server: what travels between them, and what acts when the link is gone."""
