# SPDX-License-Identifier: Apache-2.0
"""Demonstrations: collected, corrected, recorded, described."""
