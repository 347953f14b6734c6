# SPDX-License-Identifier: Apache-2.0
"""Faults on a stream of messages: pure functions of the stream, the time and a seed; and the node that injects them."""

from vla_core.lazy import lazy_exports

__getattr__, __all__ = lazy_exports(
    __name__,
    {
        "corruptions": ("CORRUPTIONS", "corruption"),
        "fault": ("KINDS", "Fault", "FaultError"),
        "stream": ("FaultyStream",),
    },
)
