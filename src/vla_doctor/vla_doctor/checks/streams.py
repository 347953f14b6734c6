# SPDX-License-Identifier: Apache-2.0
"""Rates, ages and regularity of what cameras and the robot send, and the clocks that stamp it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from vla_doctor.checks.seen import Stream
from vla_doctor.verdict import Verdict, error, ok, warn

AHEAD_S = 0.005  # [s] a stamp may be in the future: the resolution of synchronised clocks
CLOCKS = "synchronise the clocks of both machines, for example with chrony, and compare them with chronyc tracking"


@dataclass(frozen=True, slots=True)
class Expected:
    """rate_hz: least; age_s: most from stamp to arrival, for 95 of 100 messages; gap: longest over the usual one."""

    rate_hz: float
    age_s: float
    gap: float = 4.0


CAMERA = Expected(rate_hz=5.0, age_s=0.15)
JOINT_STATES = Expected(rate_hz=20.0, age_s=0.05)


def check_stream(topic: str, stream: Stream, expected: Expected, duration_s: float) -> Iterator[Verdict]:
    """Yield the verdicts about a topic that was listened to for `duration_s` [s]."""
    if not stream.publishers and not stream.arrivals:
        remedy = "start the driver, or remap its topic; ros2 topic list shows what there is"
        yield error(topic, "nobody publishes it", remedy)
        return
    if len(stream.arrivals) < 3:
        found = f"{len(stream.arrivals)} messages in {duration_s:g} s from {', '.join(stream.publishers) or 'unknown'}"
        yield error(topic, found, "look at the log of the publisher; is its quality of service one that matches?")
        return
    gaps = np.diff(stream.arrivals)
    yield _rate(topic, gaps, expected)
    yield _age(topic, np.subtract(stream.arrivals, stream.stamps), expected)


def _rate(topic: str, gaps: np.ndarray, expected: Expected) -> Verdict:
    rate, usual, longest = 1.0 / gaps.mean(), float(np.median(gaps)), float(gaps.max())
    found = f"{rate:.1f} Hz, longest gap {longest * 1e3:.0f} ms"
    subject = f"{topic}: rate"
    if rate < expected.rate_hz:
        return error(subject, found, f"valid is at least {expected.rate_hz:g} Hz; look at the driver and the network")
    if longest > max(expected.gap * usual, 1.0 / expected.rate_hz):
        return warn(
            subject, found, f"usual is {usual * 1e3:.0f} ms; look for a busy processor, Wi-Fi or a slow USB bus"
        )
    return ok(subject, found)


def _age(topic: str, ages: np.ndarray, expected: Expected) -> Verdict:
    median, high = float(np.median(ages)), float(np.percentile(ages, 95))
    found = f"median {median * 1e3:.0f} ms, 95 % within {high * 1e3:.0f} ms of the stamp"
    subject = f"{topic}: age"
    if float(ages.min()) < -AHEAD_S:
        ahead = f"stamps are up to {-float(ages.min()) * 1e3:.0f} ms in the future: the publisher's clock is ahead"
        return error(subject, ahead, CLOCKS)
    if median > 10.0 * expected.age_s:
        return error(subject, found, f"stamps are of another time; {CLOCKS}, or let the driver stamp by this clock")
    if high > expected.age_s:
        remedy = (
            f"valid is {expected.age_s * 1e3:.0f} ms: a slow network or camera, or a clock that is behind; {CLOCKS}"
        )
        return warn(subject, found, remedy)
    return ok(subject, found)
