# SPDX-License-Identifier: Apache-2.0
"""Closed-loop success in lockstep, and answers to questions."""
