# SPDX-License-Identifier: Apache-2.0
"""Google's Gemini as a policy: picture and instruction in, steps of the end effector out."""

from vla_core.lazy import lazy_exports

__getattr__, __all__ = lazy_exports(
    __name__,
    {
        "policy": ("GeminiPolicy", "Options", "create"),
        "steps": ("Reply", "StepRanges", "read_reply"),
    },
)
