# SPDX-License-Identifier: Apache-2.0
"""Checkpoints of other projects, turned into checkpoints of this one."""
