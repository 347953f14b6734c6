# SPDX-License-Identifier: Apache-2.0
"""What the arm does and what the graph tells, kept while a fault lasts; and the operator's calls. One thread spins."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from numpy.typing import NDArray
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from std_srvs.srv import Trigger
from vla_core.ros.start import create_node, start_ros

from vla_demo.faults.judge import Line, Trace
from vla_demo.ros import convert
from vla_demo.run.child import GraphEndedError
from vla_msgs.msg import ControllerStatus, PolicyStatus
from vla_msgs.srv import InjectFault, SetTask

Array = NDArray[np.float64]
KEPT = 3000  # joint states and ticks
MANY = QoSProfile(depth=500, reliability=ReliabilityPolicy.BEST_EFFORT)  # also when this process waits for a core
ANSWER_S, TAKEN_S = 10.0, 2.0
TURN_S = 0.01
CHUNKS = 2  # that are followed before the arm counts as moving again: where it goes is the policy's affair


class Watch:
    """Subscribes, calls and waits. Use as a context manager."""

    def __init__(self, alive: Callable[[], None]) -> None:
        """`alive`, called while waiting, raises if the graph ended."""
        self.alive = alive
        self.arm: deque[tuple[float, Array]] = deque(maxlen=KEPT)  # stamp [s], velocities [rad/s]
        # When it came [s], by this process's own clock, as that of the graph may be stepped; stamp [s]; the setpoint
        self.ticks: deque[tuple[float, float, Array, Array, Array]] = deque(maxlen=KEPT)
        self._begun = 0.0
        self.budgets: deque[tuple[float, float]] = deque(maxlen=KEPT)  # stamp [s], latency budget [s]
        self.lines: list[Line] = []
        self.controller: ControllerStatus | None = None
        self.policy: PolicyStatus | None = None
        self.joint_names: tuple[str, ...] = ()
        self._refused: dict[str, int] = {}
        self._known: set[Line] = set()
        self._context = Context()
        start_ros(context=self._context)
        self.node = create_node("fault_bench", "", self._context)
        listen = self.node.create_subscription
        listen(JointState, "joint_states", self._on_joints, MANY)
        listen(ControllerStatus, "vla/controller_status", self._on_controller, 50)
        listen(PolicyStatus, "vla/policy_status", self._on_policy, 50)
        listen(DiagnosticArray, "/diagnostics", self._on_diagnostics, 50)
        self._text = self.node.create_publisher(String, "vla/text_command", 10)
        self._clients: dict[str, Any] = {}
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._thread = threading.Thread(target=self._executor.spin, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._executor.shutdown()
        self._thread.join(5.0)
        self.node.destroy_node()
        rclpy.shutdown(context=self._context)

    # What comes

    def _on_joints(self, message: JointState) -> None:
        """Keep the arm's joints; the fingers come after them."""
        if self.joint_names and len(message.velocity) >= len(self.joint_names):
            by_name = dict(zip(message.name, message.velocity, strict=False))
            if all(name in by_name for name in self.joint_names):
                row = np.array([by_name[name] for name in self.joint_names])
                self.arm.append((convert.seconds(message.header.stamp), row))

    def _on_controller(self, message: ControllerStatus) -> None:
        self.controller, self.joint_names = message, tuple(message.joint_names)
        if message.setpoint:
            rows = (message.setpoint, message.setpoint_velocity, message.setpoint_acceleration)
            position, velocity, acceleration = (np.array(row) for row in rows)
            stamp = convert.seconds(message.header.stamp)
            self.ticks.append((time.monotonic(), stamp, position, velocity, acceleration))
            self.budgets.append((convert.seconds(message.header.stamp), message.latency_budget))
        for refusal in message.refusals:
            if refusal.count > self._refused.get(refusal.name, 0):
                self._told("controller_status", f"{refusal.name}: {refusal.reason}")
            self._refused[refusal.name] = refusal.count
        self._told("controller_status", message.reason)

    def _on_policy(self, message: PolicyStatus) -> None:
        self.policy = message
        self._told("policy_status", message.reason)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.level != status.OK and not status.name.startswith("fault_node"):
                self._told("diagnostics", f"{status.name}: {status.message}")

    def _told(self, source: str, text: str) -> None:
        line = Line(source, text)
        if text and line not in self._known:
            self._known.add(line)
            self.lines.append(line)

    def begin(self) -> None:
        """Forget what was told before; ticks count from now."""
        self._begun = time.monotonic()
        self.lines, self._known = [], set()

    @property
    def state(self) -> str:
        """What controller and policy say of themselves."""
        if self.controller is None or self.policy is None:
            return "not there"
        policy = f"{convert.POLICY_STATES.get(self.policy.state, self.policy.state)} {self.policy.reason}".strip()
        return (
            f"policy {policy}; controller {convert.CONTROLLER_STATES[self.controller.state]} {self.controller.reason}"
        )

    @property
    def latest(self) -> float:
        """The stamp [s] of the latest joint state; 0: none."""
        return self.arm[-1][0] if self.arm else 0.0

    def trace(self, since: float) -> Trace:
        """Return what the arm and the controller did since the stamp `since` [s]."""
        arm = [row for row in list(self.arm) if row[0] >= since]
        ticks = [row for row in list(self.ticks) if row[0] >= self._begun]
        width = len(self.joint_names)

        def rows(values: list[Array]) -> Array:
            return np.array(values).reshape(-1, width) if values else np.zeros((0, width))

        return Trace(
            np.array([row[0] for row in arm]),
            rows([row[1] for row in arm]),
            np.array([row[1] for row in ticks]),
            rows([row[2] for row in ticks]),
            rows([row[3] for row in ticks]),
            rows([row[4] for row in ticks]),
            max((budget for stamp, budget in list(self.budgets) if stamp >= since - 1.0), default=0.0),
            np.array([row[0] for row in ticks]),
        )

    def speed(self, over: float = 0.15) -> float:
        """Return the fastest joint's speed [rad/s] in the last `over` [s] of joint states; 0 without any."""
        rows = list(self.arm)[-max(1, round(over * 100)) :]
        return float(np.abs([row[1] for row in rows]).max()) if rows else 0.0

    def entities(self) -> int:
        """How many publishers and subscriptions there are in the ROS graph, except on topics of nobody."""
        node = self.node
        topics = [name for name, _ in node.get_topic_names_and_types()]
        return sum(int(node.count_publishers(name)) + int(node.count_subscribers(name)) for name in topics)

    def tick(self, over: int = 200) -> float:
        """The longest time [s] between the controller's latest ticks; NaN without any."""
        stamps = [row[1] for row in list(self.ticks)[-over:]]
        return max((b - a for a, b in pairwise(stamps)), default=float("nan"))

    # What is asked

    def wait(self, condition: Callable[[], object], timeout: float) -> bool:
        """Wait until `condition` holds; return whether it does within `timeout` [s]."""
        deadline = time.monotonic() + timeout
        while not condition():
            self.alive()
            if time.monotonic() > deadline:
                return False
            time.sleep(TURN_S)
        return True

    def moves(self, timeout: float, speed: float = 0.06) -> bool:
        """Whether the arm moves within `timeout` [s]."""
        return self.wait(lambda: self.speed() > speed, timeout)

    def follows(self, timeout: float) -> bool:
        """Whether the controller follows new chunks within `timeout` [s]: the arm may move."""
        before = self.controller.chunks_accepted if self.controller else 0
        return self.wait(lambda: self.controller and self.controller.chunks_accepted >= before + CHUNKS, timeout)

    def say(self, text: str) -> None:
        """Give an instruction without waiting for an answer."""
        self._text.publish(String(data=text))

    def instruct(self, text: str) -> bool:
        """Give an instruction until the policy reports it; return whether it does."""
        for _ in range(4):
            before = self.policy.instruction_sequence if self.policy else 0
            self.say(text)
            if self.wait(lambda before=before: self.policy.instruction_sequence > before, TAKEN_S):  # type: ignore[misc, union-attr]
                return True
        return False

    def call(self, kind: Any, name: str, request: Any, timeout: float = ANSWER_S) -> Any:
        """Call a service; return the answer. Raises GraphEndedError where none comes."""
        if name not in self._clients:
            self._clients[name] = self.node.create_client(kind, name)
        client = self._clients[name]
        if not self.wait(client.service_is_ready, timeout):
            raise GraphEndedError(f"no service {name} within {timeout:g} s")
        future = client.call_async(request)
        if not self.wait(future.done, timeout):
            raise GraphEndedError(f"{name} does not answer within {timeout:g} s")
        return future.result()

    def trigger(self, name: str) -> tuple[bool, str]:
        """Call a Trigger of the controller; return whether it succeeded, and its message."""
        answer = self.call(Trigger, f"controller_node/{name}", Trigger.Request())
        return bool(answer.success), str(answer.message)

    def inject(self, arrow: str, kind: str, magnitude: float = 0.0, seed: int = 0) -> float:
        """Begin or end a fault; return when [s] of the system's clock. Raises GraphEndedError where it is refused."""
        request = InjectFault.Request(arrow=arrow, kind=kind, magnitude=magnitude, seed=seed)
        answer = self.call(InjectFault, "fault_node/inject", request)
        if not answer.success:
            raise GraphEndedError(f"fault {arrow} {kind}: {answer.message}")
        return float(answer.message.rpartition(" at ")[2])

    def table(self, seed: int) -> str:
        """Lay a table; return its instruction."""
        answer = self.call(SetTask, "sim/set_task", SetTask.Request(family="pick", seed=seed))
        return str(answer.instruction) if answer.accepted else "pick up the red block"
