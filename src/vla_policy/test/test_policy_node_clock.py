# SPDX-License-Identifier: Apache-2.0
"""The policy node on a simulated clock that is reset: it holds, reports it, takes new instructions at once."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

pytestmark = pytest.mark.node
messages = pytest.importorskip("vla_msgs.msg")


class SimulatedClock:
    """Publishes /clock at 50 Hz; stands in for a node's clock."""

    def __init__(self, start: float) -> None:
        import rclpy
        from rosgraph_msgs.msg import Clock

        self._offset = start - time.monotonic()
        self._context = rclpy.Context()
        rclpy.init(context=self._context)
        self._node = rclpy.create_node("clock", context=self._context)
        self._publisher = self._node.create_publisher(Clock, "/clock", 10)
        self._message, self._running = Clock, True
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while self._running:
            self._publisher.publish(self._message(clock=self.now().to_msg()))
            time.sleep(0.02)

    def now(self) -> Any:
        from vla_core.ros.time import time_from_seconds

        stamp = time_from_seconds(time.monotonic() + self._offset)
        return SimpleNamespace(to_msg=lambda: stamp)

    def set(self, seconds: float) -> None:
        self._offset = seconds - time.monotonic()

    def close(self) -> None:
        self._running = False
        self._thread.join()
        self._node.destroy_node()
        self._context.try_shutdown()


@pytest.fixture
def clock() -> Iterator[SimulatedClock]:
    made = SimulatedClock(120.0)
    yield made
    made.close()


def served(robot: Any, text: str) -> str:
    """Give a task until the node, whose subscription may be younger, has taken it; return its id once it runs."""
    STATUS = messages.PolicyStatus
    for _ in range(5):
        task = robot.tell(text)
        if robot.spin(10.0, lambda task=task: robot.statuses[-1].instruction_id == task):
            robot.reaches(STATUS.STATE_RUNNING, task)
            return task
    raise AssertionError(robot.statuses[-1])


def test_a_clock_that_goes_back_and_forward(harness: ModuleType, clock: SimulatedClock, tmp_path: Path, capfd) -> None:
    path = tmp_path / "recording.jsonl"
    harness.write_recording(path, long=500, short=3)
    with harness.around("policy:=replay", f"checkpoint:={path}", "use_sim_time:=true", seeing=False) as robot:
        robot.get_clock = lambda: clock  # what it sends is stamped in simulated time
        robot.seeing = True
        served(robot, "long")
        robot.seeing = False
        clock.set(1.0)
        assert robot.spin(30.0, lambda: "the clock went back" in robot.statuses[-1].reason), robot.statuses[-1]
        assert robot.statuses[-1].state == messages.PolicyStatus.STATE_WAITING
        robot.chunks.clear()
        robot.spin(0.5)
        assert not robot.chunks  # it holds
        robot.seeing = True
        assert robot.spin(30.0, lambda: robot.chunks and robot.chunks[-1].header.stamp.sec < 60)  # the task continues
        task = served(robot, "other")  # taken at once, though 120 s earlier than the one before
        assert robot.spin(10.0, lambda: robot.chunks[-1].instruction_id == task)
        clock.set(3600.0)
        assert robot.spin(30.0, lambda: robot.chunks[-1].header.stamp.sec >= 3600)
    assert "the clock went back from 12" in capfd.readouterr().out
