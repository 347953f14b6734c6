# SPDX-License-Identifier: Apache-2.0
"""Stale stamps, frozen pictures, and the limit on the rate."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from vla_perception.camera.camera_watch import FreezeLimits, FreezeWatch, Picture, RateLimiter, Stamp, StampWatch
from vla_perception.state.stamped_ring import NS_PER_S

MS = 1_000_000
EPOCH = 1_700_000_000 * NS_PER_S


@given(rate=st.floats(1, 60), steps=st.lists(st.integers(0, 120), min_size=1, max_size=300))
def test_never_more_than_the_rate_on_average(rate: float, steps: list[int]) -> None:
    limiter = RateLimiter(rate)
    stamps = [EPOCH + int(total) * MS for total in np.cumsum(steps)]
    passed = [stamp for stamp in stamps if limiter.admit(stamp)]
    assert passed[0] == stamps[0]
    seconds = (passed[-1] - passed[0]) / NS_PER_S
    assert len(passed) <= seconds * rate + 2.3


@given(st.lists(st.integers(-4, 4), min_size=100, max_size=100))
def test_a_jittering_camera_at_the_rate_is_not_thinned(jitter_ms: list[int]) -> None:
    limiter = RateLimiter(30.0)
    stamps = [EPOCH + int(k * 1000 / 30 + j) * MS for k, j in enumerate(jitter_ms)]
    assert sum(limiter.admit(stamp) for stamp in stamps) >= 95


def test_a_clock_set_back_does_not_silence() -> None:
    limiter = RateLimiter(10.0)
    assert limiter.admit(EPOCH)
    assert limiter.admit(EPOCH - 3600 * NS_PER_S)


def test_stamps() -> None:
    watch = StampWatch()
    judged = [watch.classify(EPOCH + offset * MS) for offset in (0, 33, 33, 10, 66)]
    assert judged == [Stamp.NEW, Stamp.NEW, Stamp.STALE, Stamp.STALE, Stamp.NEW]
    assert watch.stale_in_a_row == 0
    assert watch.classify(EPOCH - 5 * NS_PER_S) is Stamp.NEW


def pictures(watch: FreezeWatch, motion: float, seconds: float = 2.0) -> list[Picture]:
    """Judge the same picture at 10 Hz while one joint moves by ``motion`` [rad] altogether."""
    judged = []
    for k in range(int(seconds * 10) + 1):
        judged.append(watch.judge(np.full(12, 7, np.uint8), EPOCH + k * 100 * MS))
        watch.note_joints(np.array([0.0, motion * k / (seconds * 10)]))
    return judged


def test_same_bytes_for_a_second_are_still_or_frozen() -> None:
    resting = pictures(FreezeWatch(FreezeLimits()), motion=0.0)
    assert resting[:11] == [Picture.LIVE] * 11
    assert set(resting[11:]) == {Picture.STILL}
    moving = pictures(FreezeWatch(FreezeLimits()), motion=0.5)
    assert moving[:11] == [Picture.LIVE] * 11
    assert set(moving[11:]) == {Picture.FROZEN}


@pytest.mark.parametrize("limits", [FreezeLimits(identical_s=0.0), FreezeLimits(identical_s=9.0)])
def test_freeze_detection_can_be_switched_off(limits: FreezeLimits) -> None:
    assert set(pictures(FreezeWatch(limits), motion=0.5)) == {Picture.LIVE}


def test_motion_can_be_ignored() -> None:
    assert pictures(FreezeWatch(FreezeLimits(motion=0.0)), motion=5.0)[-1] is Picture.STILL


def test_one_changed_byte_thaws() -> None:
    watch = FreezeWatch(FreezeLimits())
    pictures(watch, motion=0.5)
    changed = np.full(12, 7, np.uint8)
    changed[3] = 8
    assert watch.judge(changed, EPOCH + 3 * NS_PER_S) is Picture.LIVE
    assert watch.identical_s == 0.0
