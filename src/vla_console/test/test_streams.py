# SPDX-License-Identifier: Apache-2.0
"""What waits for a page is bounded; what the console counts; pictures."""

import asyncio

import cv2
import numpy as np
import pytest
from vla_console.outbox import MOST_ANSWERS, WINDOW, Outbox
from vla_console.pictures import MAX_WIDTH, to_jpeg
from vla_console.tally import Meter, Score


def test_of_a_stream_the_latest_alone_waits():
    async def run():
        outbox = Outbox()
        for i in range(1000):
            outbox.put("state", f"state {i}")
            outbox.put("front", b"picture %d" % i)
        assert await outbox.take() == "state 999"
        assert await outbox.take() == b"picture 999"
        assert outbox.replaced == 2 * 999

    asyncio.run(run())


def test_a_page_that_shows_no_picture_gets_no_more_of_them_but_everything_else():
    async def run():
        outbox = Outbox()
        for i in range(WINDOW + 3):
            outbox.put("front", b"%d" % i)
            outbox.put("state", str(i))
            taken = [await outbox.take() for _ in range(2 if i < WINDOW else 1)]
            assert str(i) in taken
        waiting = asyncio.create_task(outbox.take())
        await asyncio.sleep(0)
        assert not waiting.done()
        outbox.seen("front")
        assert await waiting == b"%d" % (WINDOW + 2)

    asyncio.run(run())


def test_answers_come_first_and_are_bounded():
    async def run():
        outbox = Outbox()
        outbox.put("state", "state")
        assert [outbox.answer(str(i)) for i in range(MOST_ANSWERS + 1)] == [True] * MOST_ANSWERS + [False]
        assert await outbox.take() == "0"

    asyncio.run(run())


def test_rates_and_ages():
    meter = Meter()
    assert meter.rate(0.0) == 0.0
    assert meter.age(0.0) is None
    for i in range(100):
        meter.note(0.1 * i)
    assert meter.rate(9.9) == pytest.approx(10.0)
    assert meter.age(10.4) == pytest.approx(0.5)
    assert meter.rate(20.0) == 0.0


def test_a_task_counts_once_and_begins_anew_with_its_time():
    score = Score()
    for instruction, elapsed, success in [
        ("a", 0, False),
        ("a", 1, True),
        ("a", 2, False),
        ("a", 3, True),
        ("a", 0, False),
    ]:
        score.note(instruction, elapsed, success)
    score.note("b", 5, True)
    score.note("", 6, True)
    assert (score.tasks, score.successes) == (3, 2)


@pytest.mark.parametrize(
    ("encoding", "pixel", "shown"),
    [("rgb8", (200, 10, 10), (10, 10, 200)), ("bgr8", (200, 10, 10), (200, 10, 10)), ("mono8", (77,), (77, 77, 77))],
)
def test_colours_stay_what_they_are(encoding, pixel, shown):
    rows = np.tile(np.array(pixel, np.uint8), (24, 32 + 3))  # padded rows
    jpeg = to_jpeg(rows.tobytes(), encoding, 24, 32, rows.shape[1], 95)
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert image.shape == (24, 32, 3)
    assert np.abs(image[12, 16].astype(int) - shown).max() < 12


def test_depth_is_shown_near_bright_and_large_pictures_small():
    depth = np.linspace(0.5, 4.0, 40 * 2000, dtype=np.float32).reshape(40, 2000)
    depth[0, 0] = np.nan
    image = cv2.imdecode(np.frombuffer(to_jpeg(depth.tobytes(), "32FC1", 40, 2000, 8000, 90), np.uint8), 0)
    assert image.shape[1] == MAX_WIDTH
    assert image[1].mean() > image[-2].mean() + 100


@pytest.mark.parametrize(("encoding", "size"), [("bayer_rggb8", 768), ("rgb8", 700), ("rgb8", 0)])
def test_what_cannot_be_shown_is_refused_by_name(encoding, size):
    with pytest.raises(ValueError, match=encoding):
        to_jpeg(bytes(size), encoding, 16, 16, 48, 80)
