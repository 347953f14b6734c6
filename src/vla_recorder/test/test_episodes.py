# SPDX-License-Identifier: Apache-2.0
"""Episodes of a folder: commands in every state, labels, memory of the last seconds, a disk that fails."""

import errno
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vla_recorder.bag.bag import Recorded, Topic
from vla_recorder.bag.reader import open_bag
from vla_recorder.bag.recovery import recover
from vla_recorder.bag.writer import BagWriter
from vla_recorder.episodes import Episodes, Label
from vla_recorder.errors import RecordingError
from vla_recorder.ring import Ring
from vla_recorder.worker import Worker

TOPIC = Topic("/n", "std_msgs/msg/UInt8", "uint8 data")
LATCHED = Topic("/kept", "std_msgs/msg/UInt8", "uint8 data")
SECOND = 10**9


def message(value: int, seconds: float, topic: Topic = TOPIC) -> Recorded:
    return Recorded(topic, round(seconds * SECOND), round(seconds * SECOND), bytes([0, 1, 0, 0, value]))


def values(folder: Path) -> list[int]:
    bag = open_bag(folder)
    return [item.content.data for item in bag.messages(["/n", "/kept"])]


@pytest.fixture
def episodes(tmp_path: Path) -> Episodes:
    return Episodes(tmp_path / "out", Ring(30.0, 10**6), {"robot": "fr3"})


def test_an_episode_holds_what_came_between_start_and_its_label(episodes: Episodes) -> None:
    episodes.add(message(7, 0.0, LATCHED), latched=True)
    episodes.add(message(1, 1.0))
    assert "episode_000000" in episodes.start("stack", 2 * SECOND)
    episodes.add(message(2, 3.0))
    assert "as success" in episodes.stop(Label.SUCCESS)
    episodes.add(message(3, 4.0))
    folder = episodes.folder / "episode_000000"
    assert values(folder) == [7, 2]
    assert open_bag(folder).custom == {"robot": "fr3", "task": "stack", "success": "true"}
    assert open_bag(folder).start_ns == 2 * SECOND
    episodes.stop(Label.FAILURE)  # a second thought
    assert open_bag(folder).custom["success"] == "false"


def test_the_task_is_the_robots_instruction_unless_it_is_given(episodes: Episodes) -> None:
    episodes.start("", 0)
    episodes.note_instruction("push")
    episodes.note_instruction("pick")
    episodes.stop()
    episodes.start("", 0)
    episodes.stop()
    episodes.start("own words", 0)
    episodes.note_instruction("push")
    episodes.stop()
    tasks = [open_bag(path).custom["task"] for path in sorted(episodes.folder.iterdir())]
    assert tasks == ["push", "pick", "own words"]


def test_discarded_and_recorded_again(episodes: Episodes) -> None:
    with pytest.raises(RecordingError, match="no episode to discard"):
        episodes.discard()
    with pytest.raises(RecordingError, match="valid: start"):
        episodes.stop()
    episodes.start("a", 0)
    episodes.add(message(1, 1.0))
    with pytest.raises(RecordingError, match="is being recorded"):
        episodes.start("b", 0)
    episodes.record_again(2 * SECOND)
    episodes.add(message(2, 3.0))
    episodes.stop()
    (folder,) = episodes.folder.iterdir()
    assert values(folder) == [2]
    assert open_bag(folder).custom["task"] == "a"
    episodes.discard()
    assert not list(episodes.folder.iterdir())


def test_numbers_go_on_where_the_folder_ends(episodes: Episodes) -> None:
    (episodes.folder / "episode_000041").mkdir(parents=True)
    assert "episode_000042" in episodes.start("a", 0)


@given(st.lists(st.floats(0.0, 100.0), min_size=1), st.floats(0.1, 50.0), st.integers(5, 200))
def test_memory_is_bounded_in_time_and_bytes(times: list[float], seconds: float, capacity: int) -> None:
    ring = Ring(seconds, capacity)
    for number, moment in enumerate(sorted(times)):
        ring.add(message(number % 256, moment), latched=False)
        kept = list(ring.last())
        assert sum(len(item.data) for item in kept) <= capacity
        assert kept[-1].log_ns == round(moment * SECOND)
        assert kept[-1].log_ns - kept[0].log_ns <= seconds * SECOND + 1


def test_the_last_seconds_become_a_bag_also_while_an_episode_runs(episodes: Episodes) -> None:
    with pytest.raises(RecordingError, match="nothing is in memory"):
        episodes.save_last()
    episodes.add(message(9, 0.0, LATCHED), latched=True)
    for number in range(50):
        episodes.add(message(number, float(number)))
    episodes.start("a", 50 * SECOND)
    assert "last_000001" in episodes.save_last()
    assert values(episodes.folder / "last_000001") == [9, *range(19, 50)]
    episodes.stop()


def test_a_full_disk_ends_the_episode_and_what_was_flushed_stays(episodes: Episodes, monkeypatch) -> None:
    episodes.start("a", 0)
    episodes.add(message(1, 1.0))
    episodes.flush()

    def full(writer: BagWriter) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(BagWriter, "flush", full)
        episodes.add(message(2, 2.0))
        episodes.flush()
    assert "No space left" in episodes.problem
    assert episodes.writer is None
    episodes.add(message(3, 3.0))  # the recorder itself goes on
    with pytest.raises(RecordingError, match="metadata"):
        open_bag(episodes.folder / "episode_000000")
    recover(episodes.folder / "episode_000000")
    assert values(episodes.folder / "episode_000000") == [1]
    episodes.start("b", 0)
    assert not episodes.problem


def test_a_disk_that_is_nearly_full_is_left_alone(episodes: Episodes) -> None:
    episodes.start("a", 0)
    episodes.add(message(1, 1.0))
    episodes.min_free = 2**62
    episodes.flush()
    assert "MB are free" in episodes.problem
    assert values(episodes.folder / "episode_000000") == [1]  # whole: it was closed in time
    with pytest.raises(RecordingError, match="min_free_megabytes"):
        episodes.start("b", 0)


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordingError, match="cannot be written"):
        Episodes(tmp_path / "file" / "out", Ring(1.0, 10)).start("a", 0)


def test_a_slow_disk_drops_messages_and_never_blocks_who_gives_them(episodes: Episodes) -> None:
    gate = threading.Event()

    def slow(item: Recorded) -> Recorded:
        gate.wait()
        return item

    worker = Worker(episodes, slow, capacity=50, flush_period_s=0.05)
    worker.start()
    for number in range(100):
        worker.put(message(number, number), latched=False)
    assert 85 <= worker.dropped <= 90  # ten messages of five bytes, and the one that is being encoded
    gate.set()
    assert "recording" in worker.call(lambda: episodes.start("a", 0), 20.0)
    with pytest.raises(RecordingError, match="is being recorded"):
        worker.call(lambda: episodes.start("a", 0), 20.0)
    worker.put(message(5, 200.0), latched=False)
    worker.stop()  # closes the episode
    assert values(episodes.folder / "episode_000000") == [5]
