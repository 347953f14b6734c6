# SPDX-License-Identifier: Apache-2.0
"""fault_node over DDS: it passes messages on, lets faults happen on demand, says which are in force, and ends them."""

import time

import pytest
from sensor_msgs.msg import JointState

from vla_msgs.srv import InjectFault

pytestmark = pytest.mark.node
IN, OUT = "/joint_states", "/faults/joint_states"


@pytest.fixture(scope="module")
def node(start_node, module_bench):
    made = start_node("vla_faults.fault_node")
    made.wait_for("faults can be injected")
    module_bench.listen(JointState, OUT)
    return made


@pytest.fixture
def inject(bench, node):
    client = bench.node.create_client(InjectFault, "/fault_node/inject")
    bench.spin_until(client.service_is_ready)

    def call(arrow="", kind="none", **more):
        future = client.call_async(InjectFault.Request(arrow=arrow, kind=kind, **more))
        bench.spin_until(future.done)
        return future.result()

    yield call
    call()
    bench.node.destroy_client(client)


def positions(bench, seconds=0.6):
    """Send joint states at 50 Hz for a while; return what came, in order."""
    bench.send(IN, JointState(name=["a"], position=[0.0]))
    bench.spin(0.1)
    bench.clear()
    end, count = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        count += 1
        bench.send(IN, JointState(name=["a"], position=[float(count)]))
        bench.spin(0.02)
    return count, [value for message in bench.received[OUT] for value in message.position[:1]]


def test_without_a_fault_everything_passes(bench, node, inject):
    count, found = positions(bench)
    assert len(found) >= 0.8 * count
    assert found == sorted(found)


def test_faults_begin_and_end_on_demand(bench, node, inject):
    assert inject("joint_states", "off").success
    assert positions(bench)[1] == []
    assert inject("joint_states", "wrong", magnitude=100.0).success
    assert min(positions(bench)[1]) > 100.0
    assert inject("", "none").success
    assert positions(bench)[1]


def test_bytes_that_are_no_message_do_not_end_the_node(bench, node, inject):
    assert inject("camera", "garbage:bytes").success
    assert inject("joint_states", "garbage").success
    positions(bench)
    assert node.process.poll() is None


def test_what_is_in_force_is_told(bench, node, inject):
    inject("joint_states", "stuck")
    assert bench.diagnosis("fault_node: faults", "joint_states stuck").level == b"\x01"


@pytest.mark.parametrize(
    ("arrow", "kind", "said"),
    [
        ("jointstates", "off", "valid: camera, joint_states"),
        ("joint_states", "broken", "valid: none, off"),
        ("joint_states", "wrong:pink", "valid: biased, swapped"),
        ("", "off", "arrow is ''"),
    ],
)
def test_what_does_not_exist_is_refused(node, inject, arrow, kind, said):
    answer = inject(arrow, kind)
    assert not answer.success
    assert said in answer.message
