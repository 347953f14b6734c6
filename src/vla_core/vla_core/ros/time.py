# SPDX-License-Identifier: Apache-2.0
"""Times and durations of messages in nanoseconds (exact) and in seconds (for computing)."""

from __future__ import annotations

import math

from builtin_interfaces.msg import Duration, Time

NS_PER_S = 1_000_000_000


def ns_from_msg(msg: Time | Duration) -> int:
    """Return a time or duration [ns]."""
    return int(msg.sec) * NS_PER_S + int(msg.nanosec)


def time_from_ns(stamp_ns: int) -> Time:
    """Return the message of a time [ns]."""
    return Time(sec=stamp_ns // NS_PER_S, nanosec=stamp_ns % NS_PER_S)


def seconds_from_msg(msg: Time | Duration) -> float:
    """Return a time or duration [s]; near today's date a float resolves 0.24 microseconds."""
    return float(msg.sec + msg.nanosec * 1e-9)


def time_from_seconds(seconds: float) -> Time:
    """Return the message of a time [s]; NaN becomes zero."""
    return time_from_ns(0 if math.isnan(seconds) else round(seconds * NS_PER_S))


def duration_from_seconds(seconds: float) -> Duration:
    """Return the message of a duration [s], negative ones included: `nanosec` is never negative."""
    whole, rest = divmod(round(seconds * NS_PER_S), NS_PER_S)
    return Duration(sec=whole, nanosec=rest)
