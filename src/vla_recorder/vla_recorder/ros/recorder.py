# SPDX-License-Identifier: Apache-2.0
"""The recorder's node: subscriptions, services for episodes, status."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from rclpy.qos import QoSProfile
from rclpy.serialization import deserialize_message
from std_srvs.srv import Trigger
from vla_core.health import Health, Level
from vla_core.ros.diagnostics import DiagnosticsPublisher
from vla_core.ros.managed import ManagedNode
from vla_core.ros.parameters import declare_settings

from vla_msgs.msg import Instruction, RecorderStatus
from vla_msgs.srv import StartRecording
from vla_recorder.about import about_recording
from vla_recorder.bag.bag import Recorded
from vla_recorder.episodes import MEGABYTE, Episodes, Label
from vla_recorder.errors import RecordingError
from vla_recorder.ring import Ring
from vla_recorder.ros.images import ImageCompressor
from vla_recorder.ros.subscriptions import Subscriptions
from vla_recorder.settings import RecorderSettings
from vla_recorder.worker import Worker

INSTRUCTION = "vla_msgs/msg/Instruction"
LOOK_S, STATUS_S = 0.5, 0.5  # [s] between looks at the graph, and statuses
ANSWER_S = 20.0  # [s] for the disk to do what a service asks for
NICENESS = 5  # below the nodes that move the arm


class RecorderNode(ManagedNode):
    """Records while it is active. Nobody waits for it: it subscribes best effort, and compresses in another thread."""

    def __init__(self) -> None:
        super().__init__("recorder_node")
        self._settings = declare_settings(self, RecorderSettings)

    def configure(self) -> None:
        """Create the services and the thread. Raises SettingsError for a map that cannot be read."""
        settings = self._settings
        about = about_recording(settings)
        os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
        self._episodes = Episodes(
            Path(settings.folder).expanduser().absolute(),
            Ring(settings.last_seconds, round(settings.last_megabytes * MEGABYTE)),
            about,
            os.environ.get("ROS_DISTRO", ""),
            round(settings.min_free_megabytes * MEGABYTE),
        )
        self._compress = ImageCompressor(settings.images, settings.jpeg_quality) if settings.images != "raw" else None
        capacity = round(settings.queue_megabytes * MEGABYTE)
        self._worker = Worker(self._episodes, self._encode, capacity, settings.flush_period)
        self._worker.start()
        self.releases.callback(self._worker.stop)
        self._status = self.create_publisher(RecorderStatus, "~/status", QoSProfile(depth=1))
        self._serve()
        self._diagnostics = DiagnosticsPublisher(self, {"recording": self._assess})
        self.get_logger().info(f"recording into {self._episodes.folder} when asked, images as {settings.images}")

    def _serve(self) -> None:
        self.create_service(StartRecording, "~/start", self._on_start)
        self._serve_command("~/stop", lambda: self._episodes.stop())
        self._serve_command("~/success", lambda: self._episodes.stop(Label.SUCCESS))
        self._serve_command("~/failure", lambda: self._episodes.stop(Label.FAILURE))
        self._serve_command("~/discard", lambda: self._episodes.discard())
        self._serve_command("~/record_again", lambda: self._episodes.record_again(time.time_ns()))
        self._serve_command("~/save_last", lambda: self._episodes.save_last())

    def _serve_command(self, name: str, command: Callable[[], str]) -> None:
        def answer(_: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
            response.success, response.message = self._do(command)
            return response

        self.create_service(Trigger, name, answer)

    def activate(self) -> None:
        """Begin to listen."""
        self._intake = Subscriptions(self, self._settings, self._worker.put)
        self._intake.look()
        self._ticks = [self.create_timer(LOOK_S, self._intake.look), self.create_timer(STATUS_S, self._tell)]

    def deactivate(self) -> None:
        """End the episode that is being recorded; listen no more."""
        with suppress(TimeoutError):
            self._worker.call(self._episodes.close, ANSWER_S)
        for timer in self._ticks:
            self.destroy_timer(timer)
        for subscription in [item for item in self.subscriptions if item.topic_name in self._intake.topics]:
            self.destroy_subscription(subscription)

    # Messages, in the worker's thread

    def _encode(self, message: Recorded) -> Recorded:
        if message.topic.type == INSTRUCTION:
            instruction = deserialize_message(message.data, Instruction)
            if instruction.kind == Instruction.KIND_TASK:
                self._episodes.note_instruction(instruction.text)
        return self._compress(message) if self._compress else message

    # Commands

    def _on_start(self, request: StartRecording.Request, response: StartRecording.Response) -> StartRecording.Response:
        task = " ".join(request.task.split())
        response.success, response.message = self._do(lambda: self._episodes.start(task, time.time_ns()))
        return response

    def _do(self, command: Callable[[], str]) -> tuple[bool, str]:
        """Run a command between two messages; whether it was done, and what it says."""
        if not self.active:
            return False, "recorder_node is inactive; valid after `ros2 lifecycle set recorder_node activate`"
        try:
            text = self._worker.call(command, ANSWER_S)
        except RecordingError as error:
            self.get_logger().error(str(error))
            return False, str(error)
        except TimeoutError:
            return False, f"the disk has not answered for {ANSWER_S:g} s"
        self.get_logger().info(text)
        return True, text

    # Status

    def _tell(self) -> None:
        episodes, message = self._episodes, RecorderStatus()
        writer, latest = episodes.writer, episodes.latest
        message.header.stamp = self.get_clock().now().to_msg()
        states = (RecorderStatus.STATE_IDLE, RecorderStatus.STATE_RECORDING, RecorderStatus.STATE_ERROR)
        message.state = states[1 if writer else 2 if episodes.problem else 0]
        message.episode, message.task = str(latest or ""), episodes.task
        if writer is not None:
            totals = writer.totals
            message.duration, message.messages, message.bytes = totals.duration_s, totals.messages, writer.written
        message.dropped, message.episodes = self._worker.dropped, episodes.saved
        message.topics, message.last_seconds = len(self._intake.topics), episodes.ring.seconds
        message.reason = episodes.problem
        self._status.publish(message)

    def _assess(self) -> Health:
        dropped = self._worker.dropped
        values = {"dropped": str(dropped), "episodes": str(self._episodes.saved)}
        if self._episodes.problem:
            return Health(Level.ERROR, "stopped", self._episodes.problem, values)
        if dropped:
            return Health(Level.WARN, "dropped", f"{dropped} messages were lost: the disk is too slow", values)
        return Health(Level.OK, "ok", "recording" if self._episodes.writer else "idle", values)
