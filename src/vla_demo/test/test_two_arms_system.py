# SPDX-License-Identifier: Apache-2.0
"""Two simulated arms in one ROS domain, each in its namespace: what is said to one is not said to the other."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

pytest.importorskip("rclpy")

import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger
from vla_demo.run.child import GraphProcess, find_vla_up

from vla_msgs.msg import ControllerStatus, PolicyStatus, SceneState

pytestmark = pytest.mark.system
NAMESPACES = ("left", "right")


class Arm:
    """The latest messages of one graph."""

    def __init__(self, node: rclpy.node.Node, namespace: str) -> None:
        self.namespace = namespace
        self.joints, self.names = np.zeros(0), ()
        self.policy, self.controller = PolicyStatus(), ControllerStatus()
        self.estop = node.create_client(Trigger, f"/{namespace}/controller_node/estop")
        for kind, topic, callback in (
            (JointState, "joint_states", lambda m: setattr(self, "joints", np.array(m.position[:7]))),
            (SceneState, "sim/scene_state", lambda m: setattr(self, "names", tuple(m.names))),
            (PolicyStatus, "vla/policy_status", lambda m: setattr(self, "policy", m)),
            (ControllerStatus, "vla/controller_status", lambda m: setattr(self, "controller", m)),
        ):
            node.create_subscription(kind, f"/{namespace}/{topic}", callback, 10)

    @property
    def task(self) -> str:
        return f"pick up the {next(name for name in self.names if 'block' in name)}"

    def say(self, text: str) -> None:
        command = [sys.executable, "-m", "vla_operator.ros.say", "--namespace", self.namespace, "--timeout", "90", text]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr


class Cell:
    """Both arms, and the node of the test that listens to them."""

    def __init__(self) -> None:
        self.context = Context()
        rclpy.init(args=[], context=self.context)
        self.node = rclpy.create_node("observer", context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.left, self.right = (Arm(self.node, namespace) for namespace in NAMESPACES)

    def until(self, condition: Callable[[], bool], within_s: float = 120.0) -> None:
        deadline = time.monotonic() + within_s
        while not condition():
            states = {arm.namespace: (arm.controller.state, arm.policy) for arm in (self.left, self.right)}
            assert time.monotonic() < deadline, states
            self.executor.spin_once(timeout_sec=0.05)

    def close(self) -> None:
        self.executor.shutdown()
        self.node.destroy_node()
        self.context.try_shutdown()


@pytest.fixture
def cell(tmp_path) -> Iterator[Cell]:
    commands = [(str(find_vla_up()), "policy:=expert", f"namespace:={name}", "console:=false") for name in NAMESPACES]
    left, right = (GraphProcess(command, tmp_path / f"{command[-1][11:]}.log") for command in commands)
    with left, right:
        made = Cell()
        yield made
        made.close()
    assert (left.exit_code, right.exit_code) == (0, 0), left.tail() + right.tail()


def test_an_instruction_a_stop_and_an_emergency_stop_reach_one_arm_alone(cell: Cell) -> None:
    left, right, holding = cell.left, cell.right, ControllerStatus.STATE_HOLDING
    cell.until(lambda: all(arm.controller.state == holding and arm.names for arm in (left, right)))
    begin = {arm: arm.joints for arm in (left, right)}
    left.say(left.task)
    cell.until(lambda: float(np.abs(left.joints - begin[left]).max()) > 0.1)
    assert right.controller.state == holding
    assert right.policy.instruction == ""
    np.testing.assert_allclose(right.joints, begin[right], atol=1e-3)
    right.say(right.task)
    cell.until(lambda: float(np.abs(right.joints - begin[right]).max()) > 0.1)
    left.say("stop")
    cell.until(lambda: left.controller.state == holding and left.policy.state == PolicyStatus.STATE_STOPPED)
    assert right.policy.instruction == right.task
    cell.until(left.estop.service_is_ready)
    stopped = left.estop.call_async(Trigger.Request())
    cell.until(lambda: stopped.done() and left.controller.state == ControllerStatus.STATE_ESTOPPED)
    right.say(right.task)
    cell.until(lambda: right.controller.state == ControllerStatus.STATE_TRACKING)
    assert left.controller.state == ControllerStatus.STATE_ESTOPPED
