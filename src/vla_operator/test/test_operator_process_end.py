# SPDX-License-Identifier: Apache-2.0
"""The nodes end with status 0, whenever they are told to."""

import signal

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("vla_msgs")

pytestmark = pytest.mark.node
READY = {"vla_operator.instruction_node": "listening", "vla_operator.teleop_node": "drives on"}


@pytest.mark.parametrize("module", READY)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_when_running(start_node, module, number):
    process = start_node(module)
    process.wait_for(READY[module])
    assert process.stop(number) == 0
    assert "Traceback" not in process.output
