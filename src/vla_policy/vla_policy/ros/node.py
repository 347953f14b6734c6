# SPDX-License-Identifier: Apache-2.0
"""The node policy_node: wires observations and instructions to a PolicyRunner, and its chunks to the controller."""

import gc
import threading
from concurrent.futures import Future
from dataclasses import dataclass

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.exceptions import InvalidHandle
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from vla_core.action import ActionChunk
from vla_core.ros.diagnostics import diagnostics_name
from vla_core.ros.managed import ManagedNode
from vla_core.ros.parameters import declare_settings
from vla_core.ros.time import seconds_from_msg

from vla_msgs.msg import ActionChunk as ActionChunkMsg
from vla_msgs.msg import Instruction, Plan, PolicyStatus, SceneState
from vla_msgs.msg import Observation as ObservationMsg
from vla_policy.errors import ObservationError, PolicyError
from vla_policy.loading import load_observation_map, load_policy, needed_cameras
from vla_policy.policy import Answer, Observation
from vla_policy.ros import conversions
from vla_policy.ros.questions import QuestionService
from vla_policy.run.runner import PolicyRunner
from vla_policy.run.scene_buffer import SceneBuffer
from vla_policy.run.state import Job, Stamped, State, Status
from vla_policy.run.worker import InferenceWorker
from vla_policy.settings import Settings

SENSOR = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
INSTRUCTIONS = QoSProfile(depth=10)  # not latched: what was said before this node started is not for it to act upon


@dataclass(frozen=True, slots=True)
class Seen:
    """An observation beside the message that it came in, whose stamp and pose go into the chunk unchanged."""

    observation: Observation
    msg: ObservationMsg


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What one inference sends."""

    chunk: ActionChunkMsg
    plan: Plan | None


class PolicyNode(ManagedNode):
    """Loads the policy, then serves instructions until it is destroyed."""

    UNUSABLE = (*ManagedNode.UNUSABLE, PolicyError)

    def __init__(self) -> None:
        """Declare parameters."""
        super().__init__("policy_node")
        self._settings = declare_settings(self, Settings)

    def configure(self) -> None:
        """Load the policy and create the entities; raises PolicyError when it cannot be used."""
        settings = self._settings
        self._policy = load_policy(settings)
        self._map = load_observation_map(settings)
        self.releases.callback(self._policy.close)
        self._scenes = SceneBuffer()
        self._sequence = 0
        self._reporting = threading.Lock()
        self._told: tuple[str, str] = ("", "")  # instruction id and text of the last plan
        self._logged: tuple[State, str] = (State.IDLE, "")
        self._prepare_run()
        self._create_interfaces(settings)
        self.get_logger().info(f"policy {self._policy.name} ready {self._policy.checkpoint} at {settings.rate:g} Hz")

    def activate(self) -> None:
        """Start the inference thread, without a task."""
        self._worker.start()

    def deactivate(self) -> None:
        """End the inference thread and forget the task."""
        self._worker.stop()
        self._prepare_run()

    def _prepare_run(self) -> None:
        self._runner: PolicyRunner[Seen] = PolicyRunner(self._settings)
        self._worker = InferenceWorker(
            self._policy, self._runner, self._now, self._prepare, self._send, self._publish_status
        )

    def destroy_node(self) -> None:
        """Release the policy and destroy the node."""
        super().destroy_node()
        gc.freeze()  # or the interpreter searches all of a model's library on its way out, for seconds

    def _create_interfaces(self, settings: Settings) -> None:
        self._chunks = self.create_publisher(ActionChunkMsg, settings.chunk_topic, 5)
        self._plans = self.create_publisher(Plan, settings.plan_topic, LATCHED)
        self._statuses = self.create_publisher(PolicyStatus, settings.status_topic, 10)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        if self._policy.uses_scene:
            self.create_subscription(SceneState, settings.scene_topic, self._on_scene, SENSOR)
        self.create_subscription(ObservationMsg, settings.observation_topic, self._on_observation, SENSOR)
        self.create_subscription(Instruction, settings.instruction_topic, self._on_instruction, INSTRUCTIONS)
        self._questions = QuestionService(self, settings.ask_service, self._ask, settings.ask_timeout)
        self.create_timer(1.0, self._on_second)

    def _now(self) -> float:
        return self.get_clock().now().nanoseconds * 1e-9

    def _on_scene(self, msg: SceneState) -> None:
        self._scenes.add(seconds_from_msg(msg.header.stamp), conversions.scene_from_msg(msg))

    def _ask(self, question: str) -> Future[Answer]:
        if not self.active:
            refused: Future[Answer] = Future()
            refused.set_exception(PolicyError("policy_node is inactive"))
            return refused
        return self._worker.ask(question)

    def _on_observation(self, msg: ObservationMsg) -> None:
        if not self.active:
            return
        try:
            stamp = seconds_from_msg(msg.header.stamp)
            scene = self._scenes.at(stamp) if self._policy.uses_scene else None
            cameras = needed_cameras(self._policy, self._map)  # a server's metadata may have changed them
            observation = conversions.observation_from_msg(msg, scene, cameras)
        except ObservationError as error:
            with self._worker.locked():
                self._runner.on_unusable_observation(str(error))
            return
        with self._worker.locked():
            self._runner.on_observation(Stamped(observation.stamp, Seen(observation, msg)))
            self._worker.notify()

    def _on_instruction(self, msg: Instruction) -> None:
        if not self.active:
            return
        task = conversions.task_from_msg(msg)
        with self._worker.locked():
            if not task.stop and self._runner.serves(task):
                return
            ignored = self._runner.on_instruction(task, self._now())
            self._worker.notify()
        if ignored:
            self.get_logger().warning(f"instruction ignored: {task.text[:80]!r}: {ignored}")
        else:
            self.get_logger().info("stop" if task.stop else f"instruction: {task.text[:80]}")
            self._publish_status()

    def _status(self) -> Status:
        with self._worker.locked():
            return self._runner.status(self._now())

    def _prepare(self, job: Job[Seen], chunk: ActionChunk, inference_time: float) -> Outgoing:
        context = conversions.ChunkContext(job.observation.value.msg, job.task.id, inference_time)
        return Outgoing(conversions.chunk_to_msg(chunk, context), conversions.plan_to_msg(chunk, context))

    def _send(self, outgoing: Outgoing) -> None:
        plan, chunk = outgoing.plan, outgoing.chunk
        if plan is not None and (plan.instruction_id, plan.text) != self._told:
            self._told = (plan.instruction_id, plan.text)
            self._publish(self._plans, plan)
            self.get_logger().info(f"plan: {plan.text[:120]}", throttle_duration_sec=1.0)
        self._sequence += 1
        chunk.sequence = self._sequence
        self._publish(self._chunks, chunk)

    def _publish(self, publisher: Publisher, msg: object) -> None:
        """Publish, unless ROS is going down: the inference thread ends a moment later than the signal."""
        try:
            publisher.publish(msg)
        except (InvalidHandle, RuntimeError):
            if self.context.ok():
                raise

    def _publish_status(self) -> None:
        """Publish the status and log changes. Both threads do: each snapshot goes out before the next one is taken."""
        with self._reporting:
            status, stamp = self._status(), self.get_clock().now().to_msg()
            self._log_change(status)
            self._log_notices()
            message = conversions.status_to_msg(status, stamp, self._policy.name, self._policy.checkpoint)
            self._publish(self._statuses, message)

    def _log_change(self, status: Status) -> None:
        if (status.state, status.reason) == self._logged:
            return
        if status.state is not self._logged[0]:
            text = f"{status.state.name.lower()}{': ' if status.reason else ''}{status.reason}"
            if status.state is State.ERROR:  # two calls: rclpy ties a severity to the line of the call
                self.get_logger().error(text)
            else:
                self.get_logger().info(text)
        self._logged = (status.state, status.reason)

    def _log_notices(self) -> None:
        with self._worker.locked():
            notices = self._runner.take_notices()
        for notice in notices:
            self.get_logger().warning(notice)

    def _on_second(self) -> None:
        if self.active and not self._worker.alive:
            raise RuntimeError("the inference thread has died; its traceback stands above")
        self._publish_status()
        stamp = self.get_clock().now().to_msg()
        name, checkpoint = self._policy.name, self._policy.checkpoint
        message = conversions.diagnostics_to_msg(self._status(), stamp, diagnostics_name(self), name, checkpoint)
        self._publish(self._diagnostics, message)
