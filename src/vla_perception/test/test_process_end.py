# SPDX-License-Identifier: Apache-2.0
"""The node ends with status 0, whenever they are told to."""

import signal
import time
from pathlib import Path

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("vla_msgs")

pytestmark = pytest.mark.node
READY = {"vla_perception.camera_node": "waiting for images"}


def wait_until_caught(pid: int, number: int) -> None:
    """Until the process handles the signal itself: the earliest moment at which it can end in order."""
    deadline = time.monotonic() + 20.0
    while time.monotonic() < deadline:
        status = Path(f"/proc/{pid}/status").read_text()
        mask = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt"))
        if int(mask, 16) >> (number - 1) & 1:
            return
        time.sleep(0.005)
    raise AssertionError(f"signal {number} is never handled")


@pytest.mark.parametrize("module", READY)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_when_running(start_node, module, number):
    process = start_node(module)
    process.wait_for(READY[module])
    assert process.stop(number) == 0
    assert "Traceback" not in process.output


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
@pytest.mark.parametrize("delay", [0.0, 0.4, 0.8])
def test_while_starting(start_node, delay):
    process = start_node("vla_perception.camera_node")
    wait_until_caught(process.process.pid, signal.SIGTERM)
    time.sleep(delay)
    assert process.stop(signal.SIGTERM) == 0
    assert "Traceback" not in process.output
