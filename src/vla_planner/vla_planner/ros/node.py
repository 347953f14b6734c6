# SPDX-License-Identifier: Apache-2.0
"""The node planner_node: scenes, goals and sentences in; instructions and the goal's status out."""

from __future__ import annotations

import time
import uuid
from concurrent.futures import Future, ThreadPoolExecutor

from rclpy.clock import Clock, ClockType
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from std_msgs.msg import String
from vla_core.health import Health, Level
from vla_core.ros.diagnostics import DiagnosticsPublisher
from vla_core.ros.managed import ManagedNode
from vla_core.ros.parameters import declare_settings

from vla_msgs.msg import ControllerStatus, GoalStatus, GoalStep, Instruction, Observation, PerceivedScene
from vla_planner.errors import PlannerError
from vla_planner.executive import Executive
from vla_planner.options import parse_options
from vla_planner.orders import Act, Halt, Order, Think, Thought
from vla_planner.planner import Image, PlannerConfig
from vla_planner.registry import create
from vla_planner.report import GoalCode, StepEnd
from vla_planner.ros.goals import GoalAction, GoalHooks
from vla_planner.ros.messages import picture_from_msg, scene_from_msg, status_to_msg, steps_to_msgs
from vla_planner.ros.step_client import StepClient
from vla_planner.scene import Scene, SceneRules
from vla_planner.settings import PlannerSettings

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
LATEST = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
TICK_S, STATUS_S = 0.1, 1.0
ORDERS = 8  # carried out in one tick at most


class PlannerNode(ManagedNode):
    """Wires topics and the action to the Executive; the mind works in a thread of its own."""

    UNUSABLE = (*ManagedNode.UNUSABLE, PlannerError)

    def __init__(self) -> None:
        super().__init__("planner_node")
        self._settings = declare_settings(self, PlannerSettings)

    def configure(self) -> None:
        """Make the mind and the entities. Raises PlannerError for a mind that cannot be made."""
        settings = self._settings
        config = PlannerConfig(settings.robot, options=parse_options(settings.options))
        self._mind = create(settings.planner, config)
        self.releases.callback(self._mind.close)
        self._pool = ThreadPoolExecutor(1, "mind")
        self.releases.callback(lambda: self._pool.shutdown(wait=False, cancel_futures=True))
        self._executive = Executive(self._mind, settings.executive, robot=settings.robot)
        self._rules = SceneRules(side_line=settings.side_line)
        self._perceived: PerceivedScene | None = None
        self._observation: Observation | None = None
        self._scene_time = self._status_time = 0.0  # [s], monotonic
        self._thinking: Future[Thought] | None = None
        self._goal_id, self._told, self._begun = "", "", 0.0
        self._status = self.create_publisher(GoalStatus, settings.status_topic, LATCHED)
        self.create_subscription(PerceivedScene, settings.scene_topic, self._on_scene, LATEST)
        self.create_subscription(Observation, settings.observation_topic, self._on_observation, LATEST)
        self.create_subscription(Instruction, settings.instruction_topic, self._on_instruction, 10)
        self.create_subscription(ControllerStatus, settings.controller_status_topic, self._on_controller, LATEST)
        self.create_subscription(String, settings.text_topic, self._on_text, 10)
        self._steps = StepClient(self, settings.instruction_action, self._on_step_end)
        hooks = GoalHooks(self._begin, self._executive.end, self._status_message, self._step_messages)
        self._action = GoalAction(self, settings.action_name, hooks)
        self.create_timer(TICK_S, self._tick, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self._diagnostics = DiagnosticsPublisher(self, {"planner": self._assess})
        self.get_logger().info(f"planning with {settings.planner}; goals on {settings.action_name}")

    def deactivate(self) -> None:
        """End the goal; the arm is halted."""
        self._executive.end(GoalCode.STOPPED, "planner_node was deactivated")
        self._steps.halt()

    # In

    def _begin(self, text: str, timeout: float) -> str:
        self._goal_id = uuid.uuid4().hex
        self._begun = time.monotonic()
        self._executive.begin(text, self._begun, timeout)
        if not self.active:
            self._executive.end(GoalCode.REJECTED, "planner_node is inactive")
        self.get_logger().info(f"goal: {text[:200]}")
        return self._goal_id

    def _on_scene(self, message: PerceivedScene) -> None:
        self._perceived, self._scene_time = message, time.monotonic()

    def _on_observation(self, message: Observation) -> None:
        self._observation = message

    def _on_text(self, message: String) -> None:
        if self.active:
            self.get_logger().info(f"about the goal: {message.data[:200]}")
            self._executive.hear(message.data)

    def _on_instruction(self, message: Instruction) -> None:
        """End the goal where somebody else spoke: a step's own instruction has a planner as its source."""
        if self._executive.over or message.source == Instruction.SOURCE_PLANNER:
            return
        if message.kind == Instruction.KIND_STOP:
            self._executive.end(GoalCode.STOPPED, f"halted by {message.text!r}")
        else:
            self._executive.end(GoalCode.SUPERSEDED, f"an operator's own instruction took over: {message.text!r}")

    def _on_controller(self, message: ControllerStatus) -> None:
        if self._executive.over:
            return
        if message.state == ControllerStatus.STATE_ESTOPPED:
            self._executive.end(GoalCode.STOPPED, "the emergency stop is latched; reset it, then give the goal again")
        elif message.owner == ControllerStatus.OWNER_PERSON:
            self._executive.end(GoalCode.STOPPED, "a person took the arm")

    def _on_step_end(self, end: StepEnd, text: str) -> None:
        self._executive.ended(end, text)

    # Work

    def _tick(self) -> None:
        if not self.active:
            return
        now = time.monotonic()
        self._take_thought(now)
        if not self._executive.over and self._perceived is not None and now - self._scene_time > self._timeout:
            self._executive.end(GoalCode.FAILED, f"no scene on {self._settings.scene_topic} for {self._timeout:g} s")
        for _ in range(ORDERS):
            order = self._executive.next(now, self._scene(), self._picture()) if self._sees(now) else None
            if order is None:
                break
            self._carry_out(order)
        self._publish(now)

    @property
    def _timeout(self) -> float:
        return self._settings.scene_timeout

    def _sees(self, now: float) -> bool:
        """Whether there is a scene to decide on; the goal's own clock runs meanwhile."""
        if self._perceived is not None or self._executive.over:
            return True
        if now - self._begun > self._timeout:
            self._executive.end(GoalCode.FAILED, f"no scene has come on {self._settings.scene_topic}: scene_node?")
        return False

    def _scene(self) -> Scene:
        if self._perceived is None:
            return Scene(rules=self._rules)
        return scene_from_msg(self._perceived, self._observation, self._rules)

    def _picture(self) -> Image | None:
        return picture_from_msg(self._observation) if self._mind.wants_picture else None

    def _carry_out(self, order: Order) -> None:
        if isinstance(order, Think):
            self._thinking = self._pool.submit(order.run)
        elif isinstance(order, Act):
            self.get_logger().info(f"step: {order.step}")
            self._steps.begin(order.step.text)
        elif isinstance(order, Halt):
            self._steps.halt()

    def _take_thought(self, now: float) -> None:
        if self._thinking is None or not self._thinking.done():
            return
        thought, self._thinking = self._thinking.result(), None
        order = self._executive.take(thought, now)
        if order is not None:
            self._carry_out(order)

    # Out

    def _status_message(self) -> GoalStatus:
        words = [u.text for u in self._executive.dialogue if u.role == "operator"]
        goal = "; ".join([self._executive.report.goal, *words]) if words else self._executive.report.goal
        message = status_to_msg(self._executive.report, self._goal_id, goal, self._settings.planner, self._mind.usage)
        message.header.stamp = self.get_clock().now().to_msg()
        return message

    def _step_messages(self) -> list[GoalStep]:
        return steps_to_msgs(self._executive.report)

    def _publish(self, now: float) -> None:
        message = self._status_message()
        told = str((message.goal_id, message.state, message.steps, message.question, message.say, message.result))
        if told != self._told or now - self._status_time > STATUS_S:
            self._told, self._status_time = told, now
            self._status.publish(message)

    def _assess(self) -> Health:
        report = self._executive.report
        values = {"state": report.state.name.lower(), "goal": report.goal[:80], "steps": str(len(report.begun))}
        if report.code is GoalCode.NO_PLANNER:
            return Health(Level.ERROR, "no planner", report.text, values)
        return Health(Level.OK, "ok", report.state.name.lower(), values)
