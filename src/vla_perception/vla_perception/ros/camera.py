# SPDX-License-Identifier: Apache-2.0
"""The node camera_node: camera images and robot states in, observations for the policy out."""

import time
from functools import partial
from pathlib import Path

from geometry_msgs.msg import PoseStamped
from rclpy.qos import QoSProfile, ReliabilityPolicy, qos_profile_sensor_data
from sensor_msgs.msg import CompressedImage, Image, JointState
from std_msgs.msg import Header
from vla_core.health import Health
from vla_core.robot import load_robot_config
from vla_core.ros.diagnostics import DiagnosticsPublisher
from vla_core.ros.managed import ManagedNode
from vla_core.ros.parameters import declare_settings
from vla_core.ros.time import ns_from_msg, time_from_ns
from vla_core.settings import SettingsError

from vla_msgs.msg import Observation
from vla_perception.camera.camera_health import CameraHealth
from vla_perception.camera.observation_intake import CameraImage, Frame, ObservationIntake
from vla_perception.errors import ImageError, StateError
from vla_perception.image.encodings import Uint8Array
from vla_perception.image.video_source import VideoSource, VideoTarget
from vla_perception.ros.image_conversion import ImageConverter, content_of, find_bridge
from vla_perception.ros.messages import image_to_msg, observation_to_msg
from vla_perception.settings import CameraSettings
from vla_perception.state.joint_state_buffer import JointStateBuffer
from vla_perception.state.robot_joints import RobotJoints
from vla_perception.state.robot_state import RobotStateTracker
from vla_perception.state.state_health import StateHealth

LATEST = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)  # also receives what reliable publishers send
STATES = QoSProfile(depth=50, reliability=ReliabilityPolicy.BEST_EFFORT)
LOG_PERIOD_S = 5.0


class CameraNode(ManagedNode):
    """Wires topics to ObservationIntake and RobotStateTracker."""

    def __init__(self) -> None:
        super().__init__("camera_node")
        self._settings = declare_settings(self, CameraSettings)

    def configure(self) -> None:
        """Load the robot file, create the entities and open the video source."""
        settings = self._settings
        robot = robot_joints(settings)
        self._base_frame = robot.base_frame
        wanted = settings.joint_names or robot.joint_names + robot.finger_joints
        joints = JointStateBuffer(wanted, extend=not settings.joint_names)
        self._states = RobotStateTracker(joints, robot.finger_joints, settings.max_state_gap)
        self._health = CameraHealth(
            source_in_words(settings),
            settings.camera_timeout,
            settings.max_image_age,
            started_s=time.monotonic(),
        )
        self._state_health = StateHealth(settings.max_state_gap)
        self._intake = ObservationIntake(settings, self._states, self._health)
        self._converter = ImageConverter(find_bridge())
        self._waiting: Frame | None = None
        self._waits_until = 0.0
        self._sequence = 0
        self._observations = self.create_publisher(Observation, settings.observation_topic, LATEST)
        self.create_subscription(JointState, settings.joint_states_topic, self._on_joint_state, STATES)
        self.create_subscription(PoseStamped, settings.ee_pose_topic, self._on_pose, STATES)
        self._patience = self.create_timer(max(settings.joint_wait, 1e-3), self._on_patience_end)
        self._patience.cancel()
        self._video: VideoSource | None = None
        self._open_source()
        self._diagnostics = DiagnosticsPublisher(self, {"camera": self._assess, "robot state": self._assess_state})
        decoder = "cv_bridge" if self._converter.uses_bridge else "its own decoder"
        self.get_logger().info(f"waiting for images from {self._health.source}, with {decoder}")

    # Images in

    def _open_source(self) -> None:
        settings = self._settings
        if settings.source != "topic":
            self._start_video()
        elif settings.image_transport == "compressed":
            topic = f"{settings.image_topic}/compressed"
            self.create_subscription(CompressedImage, topic, self._on_compressed, LATEST)
        else:
            self.create_subscription(Image, settings.image_topic, self._on_raw, LATEST)

    def _start_video(self) -> None:
        settings, is_device = self._settings, self._settings.source == "device"
        target = VideoTarget(
            settings.device if is_device else settings.file,
            is_device,
            settings.loop,
            settings.file_rate,
            settings.device_height,
            settings.device_width,
        )
        self._video_image: tuple[Uint8Array, int] | None = None
        self._video_ready = self.create_guard_condition(self._on_video)
        publish = settings.publish_raw
        self._raw = self.create_publisher(Image, settings.image_topic, qos_profile_sensor_data) if publish else None
        self._video = VideoSource(target, lambda: self.get_clock().now().nanoseconds, self._from_video_thread)
        self._video.start()
        self.releases.callback(self._video.stop)

    def _from_video_thread(self, rgb: Uint8Array, stamp_ns: int) -> None:
        self._video_image = (rgb, stamp_ns)  # the newest wins
        self._video_ready.trigger()

    def _on_video(self) -> None:
        image, self._video_image = self._video_image, None
        if image is None:
            return
        rgb, stamp_ns = image
        frame_id = self._settings.camera_frame
        if self._raw is not None:
            self._raw.publish(image_to_msg(Header(stamp=time_from_ns(stamp_ns), frame_id=frame_id), rgb))
        self._ingest(CameraImage(stamp_ns, frame_id, rgb.reshape(-1), lambda: rgb))

    def _on_raw(self, message: Image) -> None:
        header, content = message.header, content_of(message)
        decode = partial(self._converter.raw_to_rgb, message)
        self._ingest(CameraImage(ns_from_msg(header.stamp), header.frame_id, content, decode))

    def _on_compressed(self, message: CompressedImage) -> None:
        header, content = message.header, content_of(message)
        decode = partial(self._converter.compressed_to_rgb, message)
        self._ingest(CameraImage(ns_from_msg(header.stamp), header.frame_id, content, decode))

    def _ingest(self, image: CameraImage) -> None:
        if not self.active:
            return
        try:
            frame = self._intake.ingest(image, self.get_clock().now().nanoseconds, time.monotonic())
        except ImageError as error:
            self.get_logger().error(f"image refused: {error}", throttle_duration_sec=LOG_PERIOD_S)
            return
        if frame is None:
            return
        if self._waiting is not None:
            self._send(self._waiting)
        if self._settings.joint_wait > 0 and self._states.is_worth_waiting(frame.stamp_ns):
            self._waiting = frame
            self._patience.reset()
        else:
            self._send(frame)

    # States in

    def _on_joint_state(self, message: JointState) -> None:
        stamp = ns_from_msg(message.header.stamp) or self.get_clock().now().nanoseconds
        try:
            self._states.joints.insert(stamp, message.name, message.position, message.velocity)
        except StateError as error:
            self._refuse_state(str(error))
            return
        self._send_if_known()

    def _on_pose(self, message: PoseStamped) -> None:
        frame = message.header.frame_id
        self._base_frame = self._base_frame or frame
        if frame != self._base_frame:
            self._refuse_state(f"tool pose in frame {frame!r} refused; valid: {self._base_frame!r}")
            return
        stamp = ns_from_msg(message.header.stamp) or self.get_clock().now().nanoseconds
        p, q = message.pose.position, message.pose.orientation
        try:
            self._states.poses.insert(stamp, (p.x, p.y, p.z), (q.x, q.y, q.z, q.w))
        except StateError as error:
            self._refuse_state(str(error))
            return
        self._send_if_known()

    def _refuse_state(self, reason: str) -> None:
        self._state_health.note_refused(reason, time.monotonic())
        self.get_logger().error(reason, throttle_duration_sec=LOG_PERIOD_S)

    # Observations out

    def _send_if_known(self) -> None:
        if self._waiting is not None and not self._states.is_worth_waiting(self._waiting.stamp_ns):
            self._send(self._waiting)

    def _on_patience_end(self) -> None:
        if self._waiting is not None:
            self._send(self._waiting)

    def _send(self, frame: Frame) -> None:
        self._waiting = None
        self._patience.cancel()
        state = self._states.at(frame.stamp_ns)
        now_ns = self.get_clock().now().nanoseconds
        message = observation_to_msg(frame, state, self._base_frame, self._sequence, now_ns)
        self._observations.publish(message)
        self._sequence += 1
        self._health.note_sent(message.image_age, time.monotonic())
        self._state_health.note_used(state, time.monotonic())

    def _assess(self) -> Health:
        self._health.source_problem = self._video.problem if self._video is not None else ""
        return self._health.report(time.monotonic())

    def _assess_state(self) -> Health:
        return self._state_health.report(time.monotonic())


def robot_joints(settings: CameraSettings) -> RobotJoints:
    """Return the names in the robot's description where the parameters do not say otherwise.

    Raises:
        RobotConfigError: there is no such description, or it is invalid.
        SettingsError: the video file does not exist.
    """
    if settings.source == "file" and not Path(settings.file).is_file():
        raise SettingsError(f"file is {settings.file!r}; valid: the path of a video file")
    described = RobotJoints((), (), "")
    if settings.robot_config:
        config = load_robot_config(settings.robot_config)
        described = RobotJoints(config.joints, (config.gripper.joint,), config.base_frame)
    return RobotJoints(
        settings.joint_names or described.joint_names,
        settings.finger_joints or described.finger_joints,
        settings.base_frame or described.base_frame,
    )


def source_in_words(settings: CameraSettings) -> str:
    """Where images come from, for people."""
    if settings.source != "topic":
        return settings.device if settings.source == "device" else settings.file
    return settings.image_topic + ("/compressed" if settings.image_transport == "compressed" else "")
