# SPDX-License-Identifier: Apache-2.0
"""The numbers of instructions."""

BEYOND = 2**63  # no number of an instruction: numbers are nanoseconds of a clock, or one more than the number before


def is_number(sequence: int) -> bool:
    """Whether `sequence` can be that of an instruction; a broken one must not outrank all that come after it."""
    return 0 <= sequence < BEYOND
