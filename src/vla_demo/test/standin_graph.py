# SPDX-License-Identifier: Apache-2.0
"""Stands in for vla_up: one process that offers the graph's topics and succeeds as its behaviour (argument) says.

good: every task succeeds soon after its instruction; bad: none does; deaf: no controller; short: ends when a task
is set. Takes the graph's name:=value arguments and ignores them.
"""

import os
import signal
import sys

import numpy as np
import rclpy
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import Image
from std_msgs.msg import String
from std_srvs.srv import Trigger

from vla_msgs.msg import (
    ActionChunk,
    ActionStep,
    CameraImage,
    ControllerStatus,
    Observation,
    PolicyStatus,
    SceneState,
    TaskStatus,
)
from vla_msgs.srv import SetTask

BLOCKS = ("red block", "blue block", "green block")


class StandIn(Node):
    """Publishes what the real nodes would."""

    def __init__(self, behaviour: str) -> None:
        super().__init__("simulator_node")
        self.behaviour = behaviour
        self.heard = self.task = self.family = ""
        self.sequence, self.count, self.instructions = 0, 0, 0
        self.heard_at = 0.0
        self.declare_parameter("viewer_camera_rate", 0.0)
        self.outputs = {
            kind: self.create_publisher(kind, topic, 10)
            for kind, topic in (
                (ControllerStatus, "/vla/controller_status"),
                (PolicyStatus, "/vla/policy_status"),
                (ActionChunk, "/vla/action_chunk"),
                (TaskStatus, "/sim/task_status"),
                (SceneState, "/sim/scene_state"),
                (Observation, "/vla/observation"),
            )
        }
        self.viewer = self.create_publisher(Image, "/camera/viewer/image_raw", qos_profile_sensor_data)
        self.create_subscription(String, "/vla/text_command", self.on_text, 10)
        self.create_service(SetTask, "/sim/set_task", self.on_task)
        self.create_service(Trigger, "/controller_node/home", self.on_home)
        self.create_timer(0.05, self.tick)
        self.create_timer(0.1, self.look)

    def seconds(self) -> float:
        return self.get_clock().now().nanoseconds * 1e-9

    def on_text(self, message: String) -> None:
        self.heard, self.heard_at = message.data, self.seconds()
        self.instructions += 1

    def on_task(self, request: SetTask.Request, response: SetTask.Response) -> SetTask.Response:
        if self.behaviour == "short":
            raise SystemExit(3)
        block = BLOCKS[request.seed % 2]
        response.accepted = request.family != "push" or self.behaviour != "picky"
        response.reason = "" if response.accepted else "nothing can be pushed here; valid: pick, place, near"
        response.instruction = self.task = request.instruction or f"{request.family} the {block}"
        response.family = self.family = request.family or "pick"
        return response

    def on_home(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        print("going home", flush=True)
        response.success = True
        return response

    def tick(self) -> None:
        stamp = self.get_clock().now().to_msg()
        working = self.heard not in ("", "stop")
        if self.behaviour != "deaf":
            angle = float(np.sin(self.seconds()))
            state = ControllerStatus.STATE_TRACKING if working else ControllerStatus.STATE_HOLDING
            status = ControllerStatus(state=state, joint_names=["a", "b"], tick_period=0.05, stamp_to_setpoint=0.3)
            status.header.stamp = stamp
            status.reference, status.setpoint, status.measured = [angle] * 2, [angle - 0.1] * 2, [angle - 0.2] * 2
            status.chunk_sequence = self.sequence
            self.outputs[ControllerStatus].publish(status)
        self.count += 1
        if self.count % 4 == 0 and working:
            self.sequence += 1
            chunk = ActionChunk(sequence=self.sequence, steps=[ActionStep()], instruction_id=self.heard, period=0.2)
            chunk.header.stamp = stamp
            chunk.dimension_names, chunk.tokens, chunk.token_probabilities = ["x", "y"], [3, 250], [0.9, 0.4]
            self.outputs[ActionChunk].publish(chunk)

    def look(self) -> None:
        stamp = self.get_clock().now().to_msg()
        pixels = np.full((48, 64, 3), 90, np.uint8)
        image = Image(height=48, width=64, step=192, encoding="rgb8", data=pixels.tobytes())
        image.header.stamp = stamp
        seen = Observation(images=[CameraImage(name="front", image=image)])
        scene = SceneState(names=[*BLOCKS, "bowl"])
        state = PolicyStatus(state=PolicyStatus.STATE_RUNNING, rate=5.0, instruction=self.heard)
        state.instruction_sequence = self.instructions
        seen.header.stamp = scene.header.stamp = state.header.stamp = stamp
        for message in (seen, scene, state):
            self.outputs[type(message)].publish(message)
        if self.get_parameter("viewer_camera_rate").value > 0:
            self.viewer.publish(image)
        if self.task:
            done = self.behaviour != "bad" and self.heard == self.task and self.seconds() - self.heard_at > 0.5
            status = TaskStatus(instruction=self.task, family=self.family, success=done, real_time_factor=0.98)
            status.header.stamp = stamp
            self.outputs[TaskStatus].publish(status)


def main() -> None:
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(0))
    print("stand-in graph, arguments:", *sys.argv[1:], flush=True)
    print("console_node | console: http://127.0.0.1:8600/", flush=True)
    rclpy.spin(StandIn(os.environ.get("STANDIN", "good")))


if __name__ == "__main__":
    main()
