# SPDX-License-Identifier: Apache-2.0
"""The operator's place in the graph: gives instructions, lays tables, hears everything. One thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.parameter_client import AsyncParameterClient
from rclpy.qos import QoSProfile, ReliabilityPolicy, qos_profile_sensor_data
from sensor_msgs.msg import Image
from std_msgs.msg import String
from std_srvs.srv import Trigger
from vla_core.ros.start import create_node, start_ros

from vla_demo.picture.pictures import encode_jpeg
from vla_demo.ros import convert
from vla_demo.run.child import GraphEndedError
from vla_demo.run.samples import Recording
from vla_demo.run.session import Table, TableRefusedError
from vla_msgs.msg import ActionChunk, ControllerStatus, Observation, PolicyStatus, SceneState, TaskStatus
from vla_msgs.srv import SetTask

FRAME_SPACING_S = 0.085  # pictures closer together are left out: the video has 10 a second
RELIABLE = QoSProfile(depth=50, reliability=ReliabilityPolicy.RELIABLE)
COMMAND_TOPIC = "vla/text_command"
OBSERVATION_TOPIC, POLICY_TOPIC, CONTROLLER_TOPIC = "vla/observation", "vla/policy_status", "vla/controller_status"
TASK_SERVICE = "sim/set_task"
VIEWER_TOPIC = "camera/viewer/image_raw"
SIMULATOR = "simulator_node"
HOME_SERVICE = "controller_node/home"
CALL_S = 10.0  # for a service to answer
TAKEN_S = 5.0  # for the policy to report that it has an instruction
ATTEMPTS = 3


class GraphClient:
    """Talks to a running graph over DDS. Use as a context manager; call `wait` to let messages in."""

    def __init__(
        self, recording: Recording, pictures: bool, alive: Callable[[], None] = lambda: None, namespace: str = ""
    ) -> None:
        """Fills `recording`, with `pictures` for a video, from the graph in `namespace`.

        `alive`, called while waiting, raises if the graph ended.
        """
        self.recording = recording
        self.observations = 0
        self.object_names: tuple[str, ...] = ()
        self._received = 0  # highest number of an instruction that the policy reports
        self._pictures, self._alive = pictures, alive
        self._context = Context()
        start_ros(context=self._context)
        self._node = create_node("demo_node", namespace, self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._command = self._node.create_publisher(String, COMMAND_TOPIC, 10)
        self._set_task = self._node.create_client(SetTask, TASK_SERVICE)
        self._home = self._node.create_client(Trigger, HOME_SERVICE)
        self._observation = self._listen(Observation, OBSERVATION_TOPIC, self._on_observation, qos_profile_sensor_data)
        self._scene = self._listen(SceneState, "sim/scene_state", self._on_scene, qos_profile_sensor_data)
        self._listen(ActionChunk, "vla/action_chunk", self._on_chunk, RELIABLE)
        self._listen(PolicyStatus, POLICY_TOPIC, self._on_policy, RELIABLE)
        self._listen(ControllerStatus, CONTROLLER_TOPIC, self._on_controller, RELIABLE)
        self._listen(TaskStatus, "sim/task_status", self._on_task, qos_profile_sensor_data)
        if pictures:
            self._listen(Image, VIEWER_TOPIC, self._on_viewer, qos_profile_sensor_data)

    def _listen(self, kind: Any, topic: str, callback: Callable[[Any], None], qos: Any) -> Any:
        return self._node.create_subscription(kind, topic, callback, qos)

    def __enter__(self) -> GraphClient:
        return self

    def __exit__(self, *_: object) -> None:
        self._executor.shutdown()
        self._node.destroy_node()
        rclpy.shutdown(context=self._context)

    def now(self) -> float:
        """The ROS (wall) clock [s]."""
        return float(self._node.get_clock().now().nanoseconds * 1e-9)

    def wait(self, condition: Callable[[], bool], timeout: float, on_turn: Callable[[], None] = lambda: None) -> bool:
        """Let messages in until `condition` holds or `timeout` [s] has passed; return whether it holds."""
        deadline = time.monotonic() + timeout
        while not condition():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self._executor.spin_once(timeout_sec=min(0.05, left))
            self._alive()
            on_turn()
        return True

    def missing(self) -> list[str]:
        """What the graph still lacks to be given an instruction, in words; empty when it is ready."""
        recording = self.recording
        state = recording.controller[-1].state if recording.controller else ""
        policy = recording.policy[-1] if recording.policy else None
        now, resolve = f", now {state}" if state else "", self._node.resolve_topic_name
        checks = {
            f"simulator ({resolve(TASK_SERVICE)})": self._set_task.service_is_ready(),
            f"observations ({resolve(OBSERVATION_TOPIC)})": self.observations >= 2,
            f"controller at rest ({resolve(CONTROLLER_TOPIC)}{now})": state in ("holding", "tracking"),
            f"policy ({resolve(POLICY_TOPIC)})": policy is not None,
            f"instruction intake ({resolve(COMMAND_TOPIC)})": self._command.get_subscription_count() > 0,
        }
        lacking = [name for name, there in checks.items() if not there]
        if policy is not None and policy.state == "error":
            lacking.append(f"a working policy; it says: {policy.reason}")
        return lacking

    def start_viewer(self, rate: float) -> str:
        """Ask the simulator for its outside camera at `rate` [Hz]; return why not, or an empty string."""
        client = AsyncParameterClient(self._node, SIMULATOR)
        if not self.wait(client.services_are_ready, CALL_S):
            return f"{SIMULATOR} offers no parameters"
        future = client.set_parameters([Parameter("viewer_camera_rate", value=rate)])
        if not self.wait(future.done, CALL_S):
            return f"{SIMULATOR} does not answer"
        result = future.result().results[0]
        return "" if result.successful else str(result.reason)

    def connect(self, kind: Any, name: str) -> Any:
        """Return a client of the service `name`."""
        return self._node.create_client(kind, name)

    def stop_observing(self) -> None:
        """Stop listening to pictures unless they are kept: they are the largest messages of the graph."""
        if not self._pictures and self._observation is not None:
            self._node.destroy_subscription(self._observation)
            self._observation = None

    def say(self, text: str) -> float:
        """Give an instruction as the operator does; return when [s], once the policy has it.

        Raises:
            GraphEndedError: it has not, although it was told several times.
        """
        for _ in range(ATTEMPTS):
            before, stamp = self._received, self.now()
            self._command.publish(String(data=text))
            if self.wait(lambda before=before: self._received > before, TAKEN_S):  # type: ignore[misc]
                return stamp
        raise GraphEndedError(f"the policy does not take {text!r}, given {ATTEMPTS} times on {COMMAND_TOPIC}")

    def set_task(self, instruction: str, family: str, seed: int, keep_objects: bool = False) -> Table:
        """Lay the table (or only change the task); raises TableRefusedError with the simulator's reason."""
        request = SetTask.Request(instruction=instruction, family=family, seed=seed, keep_objects=keep_objects)
        reply = self._call(self._set_task, request)
        if reply is None:
            raise TableRefusedError(f"the simulator does not answer on {self._node.resolve_service_name(TASK_SERVICE)}")
        if not reply.accepted:
            raise TableRefusedError(reply.reason)
        return Table(reply.instruction, reply.family, self.now())

    def go_home(self) -> float:
        """Ask the controller to go home; return when it answered [s]. Raises GraphEndedError when it does not."""
        reply = self._call(self._home, Trigger.Request())
        if reply is None or not reply.success:
            raise GraphEndedError(f"the arm does not go home: {reply.message if reply else f'no {HOME_SERVICE}'}")
        return self.now()

    def _call(self, client: Any, request: Any) -> Any:
        if not self.wait(client.service_is_ready, CALL_S):
            return None
        future = client.call_async(request)
        return future.result() if self.wait(future.done, CALL_S) else None

    def _on_observation(self, message: Observation) -> None:
        self.observations += 1
        stamp = convert.seconds(message.header.stamp)
        if self._pictures and _due(self.recording.policy_view, stamp):
            self.recording.policy_view.append(encode_jpeg(convert.image(message.images[0].image), stamp))

    def _on_viewer(self, message: Image) -> None:
        stamp = convert.seconds(message.header.stamp)
        if _due(self.recording.viewer, stamp):
            self.recording.viewer.append(encode_jpeg(convert.image(message), stamp))

    def _on_scene(self, message: SceneState) -> None:
        self.object_names = tuple(message.names)

    def _on_chunk(self, message: ActionChunk) -> None:
        self.recording.chunks.append(convert.chunk(message, self.now()))

    def _on_policy(self, message: PolicyStatus) -> None:
        self._received = max(self._received, message.instruction_sequence)
        self.recording.policy.append(convert.policy(message))

    def _on_controller(self, message: ControllerStatus) -> None:
        self.recording.joint_names = tuple(message.joint_names) or self.recording.joint_names
        self.recording.controller.append(convert.controller(message))

    def _on_task(self, message: TaskStatus) -> None:
        self.recording.task.append(convert.task(message))


def _due(frames: list[Any], stamp: float) -> bool:
    return not frames or stamp - frames[-1].stamp >= FRAME_SPACING_S
