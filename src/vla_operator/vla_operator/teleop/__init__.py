# SPDX-License-Identifier: Apache-2.0
"""Devices by which a person drives the arm: what they are read as, how their axes are mapped, and what they command."""
