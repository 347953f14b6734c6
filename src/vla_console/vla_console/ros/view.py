# SPDX-License-Identifier: Apache-2.0
"""The state of the running graph, from its topics: for the page and for the terminal.

Messages are kept as bytes and read only when somebody looks, so that a console that nobody watches costs little.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import Log
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message
from std_msgs.msg import String

from vla_console import messages
from vla_console.messages import Data, finite
from vla_console.tally import Meter, Score
from vla_msgs.msg import (
    ActionChunk,
    ControllerStatus,
    GoalStatus,
    Instruction,
    OperatorHeartbeat,
    Plan,
    PolicyStatus,
    RecorderStatus,
    TaskStatus,
    Utterance,
)

LIGHT = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)  # no publisher waits for a console
LOGS = QoSProfile(depth=200, reliability=ReliabilityPolicy.BEST_EFFORT)
LATCHED = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)
HISTORY, LOG_LINES = 50, 200  # instructions and log lines kept
STALE_S = 5.0  # [s] after which a diagnosis is stale, and planner_node, which reports once a second, silent


class Latest:
    """The latest message of a topic, unread."""

    def __init__(self, kind: Any, read: Callable[[Any], Data]) -> None:
        """`read` makes plain data of a message."""
        self._kind, self._read = kind, read
        self._bytes: bytes | None = None
        self._data: Data | None = None
        self.meter, self.count = Meter(), 0

    def take(self, data: bytes) -> None:
        """Keep a serialized message."""
        self._bytes, self._data = data, None
        self.count += 1
        self.meter.note(time.monotonic())

    def data(self) -> Data | None:
        """Return the message as plain data; None before the first."""
        if self._data is None and self._bytes is not None:
            self._data = self._read(deserialize_message(self._bytes, self._kind))
        return self._data


class GraphView:
    """What the graph in the namespace of a node does."""

    def __init__(self, node: Node) -> None:
        """Subscribe on `node`."""
        self._node = node
        self._topics: dict[str, Latest] = {}
        self._listen("controller", ControllerStatus, "vla/controller_status", messages.controller)
        self._listen("policy", PolicyStatus, "vla/policy_status", messages.policy)
        self._listen("operator", OperatorHeartbeat, "vla/operator_heartbeat", lambda _: {})
        self._listen("chunk", ActionChunk, "vla/action_chunk", messages.chunk)
        self._listen("recorder", RecorderStatus, "recorder_node/status", messages.recorder)
        self._listen("utterance", Utterance, "vla/utterance", messages.utterance)
        self._listen("goal", GoalStatus, "vla/goal_status", messages.goal)
        self._score, self._judged = Score(), Meter()
        self._task: Data | None = None
        self._plan: Data | None = None
        self.question = ""
        self.history: deque[Data] = deque(maxlen=HISTORY)
        self.logs: deque[Data] = deque(maxlen=LOG_LINES)
        self.log_count = 0
        self._diagnoses: dict[str, tuple[float, Data]] = {}
        node.create_subscription(TaskStatus, "sim/task_status", self._on_task, LIGHT)
        node.create_subscription(Instruction, "vla/instruction", self._on_instruction, LATCHED)
        node.create_subscription(Plan, "vla/plan", self._on_plan, LATCHED)
        node.create_subscription(String, "vla/speech/question", self._on_question, 10)
        node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, LIGHT)
        node.create_subscription(Log, "/rosout", self._on_log, LOGS)

    def state(self) -> Data:
        """Return what changes all the time; `None` for a node that has not reported."""
        now = time.monotonic()
        found: Data = {
            key: self._reported(key, now) for key in ("controller", "policy", "operator", "recorder", "utterance")
        }
        task = self._task
        age = self._judged.age(now)
        found["task"] = None if task is None or age is None or age > STALE_S else {**task, "age": finite(age, 2)}
        found["score"] = {"tasks": self._score.tasks, "successes": self._score.successes}
        found["chunk"] = self._topics["chunk"].data()
        current = self.history[-1]["id"] if self.history else ""
        found["plan"] = self._plan if self._plan and self._plan["id"] == current else None
        found["question"] = self.question
        found["time"] = finite(self._node.get_clock().now().nanoseconds * 1e-9, 4)
        return found

    def age(self, key: str) -> float | None:
        """Return the age of the latest message of a node [s]; None before the first."""
        return self._topics[key].meter.age(time.monotonic())

    def goal(self) -> Data | None:
        """Return where the goal stands; None before planner_node has reported."""
        data, age = self._topics["goal"].data(), self.age("goal")
        return None if data is None or age is None else {**data, "silent": age > STALE_S}

    def diagnostics(self) -> list[Data]:
        """Return every diagnosis, the worst first."""
        now, order = time.monotonic(), {"error": 0, "warn": 1, "stale": 2, "ok": 3}
        rows = []
        for heard, data in self._diagnoses.values():
            silent = now - heard > STALE_S
            rows.append({**data, "level": "stale", "message": f"silent for {now - heard:.0f} s"} if silent else data)
        return sorted(rows, key=lambda row: (order.get(row["level"], 0), row["name"]))

    def _reported(self, key: str, now: float) -> Data | None:
        topic = self._topics[key]
        data, age = topic.data(), topic.meter.age(now)
        if data is None or age is None:
            return None
        return {**data, "age": finite(age, 2), "hz": finite(topic.meter.rate(now), 1)}

    def _listen(self, key: str, kind: Any, topic: str, read: Callable[[Any], Data]) -> None:
        latest = self._topics[key] = Latest(kind, read)
        self._node.create_subscription(kind, topic, latest.take, LIGHT, raw=True)

    def _on_task(self, message: TaskStatus) -> None:
        self._task = messages.task(message)
        self._judged.note(time.monotonic())
        self._score.note(message.instruction, message.elapsed, message.success)

    def _on_instruction(self, message: Instruction) -> None:
        data = messages.instruction(message)
        if (
            not self.history or self.history[-1]["sequence"] != data["sequence"]
        ):  # it is sent again to one that lacks it
            self.history.append(data)
            self.question = ""

    def _on_plan(self, message: Plan) -> None:
        self._plan = messages.plan(message)

    def _on_question(self, message: String) -> None:
        self.question = message.data[: messages.MAX_SHOWN]

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            self._diagnoses[status.name] = (time.monotonic(), messages.diagnosis(status))

    def _on_log(self, message: Log) -> None:
        self.log_count += 1
        self.logs.append({**messages.log_line(message), "n": self.log_count})
