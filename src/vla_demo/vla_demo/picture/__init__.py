# SPDX-License-Identifier: Apache-2.0
"""Frames, plots and video of a run."""
