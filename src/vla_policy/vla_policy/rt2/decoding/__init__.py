# SPDX-License-Identifier: Apache-2.0
"""Constrained decoding of action tokens."""
