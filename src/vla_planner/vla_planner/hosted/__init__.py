# SPDX-License-Identifier: Apache-2.0
"""Minds that a server hosts: requests, the check of replies, and the mind itself."""

from vla_core.lazy import lazy_exports

__getattr__, __all__ = lazy_exports(
    __name__,
    {
        "mind": ("HostedPlanner", "MindOptions"),
        "replies": ("read_answer", "read_decision", "read_points", "read_verdict"),
    },
)
