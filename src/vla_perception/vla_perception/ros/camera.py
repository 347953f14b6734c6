# SPDX-License-Identifier: Apache-2.0
"""The node camera_node: camera images and robot states in, observations for the policy out."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from geometry_msgs.msg import PoseStamped
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import JointState
from vla_core.health import Health
from vla_core.observation_map.camera import Camera
from vla_core.robot import load_robot_config
from vla_core.ros.diagnostics import DiagnosticsPublisher
from vla_core.ros.managed import OVERRIDABLE, ManagedNode
from vla_core.ros.parameters import declare_settings
from vla_core.ros.time import ns_from_msg
from vla_core.settings import SettingsError

from vla_msgs.msg import Observation
from vla_perception.camera.camera_health import CameraHealth
from vla_perception.camera.cameras import cameras_of
from vla_perception.camera.companion import Companion
from vla_perception.camera.observation_intake import CameraImage, Frame, ObservationIntake
from vla_perception.errors import ImageError, StateError
from vla_perception.ros.camera_input import LATEST, VideoInput, subscribe
from vla_perception.ros.image_conversion import ImageConverter, find_bridge
from vla_perception.ros.messages import observation_to_msg
from vla_perception.settings import CameraSettings
from vla_perception.state.joint_state_buffer import JointStateBuffer
from vla_perception.state.robot_joints import RobotJoints
from vla_perception.state.robot_state import RobotStateTracker
from vla_perception.state.state_health import StateHealth

STATES = QoSProfile(depth=50, reliability=ReliabilityPolicy.BEST_EFFORT)
LOG_PERIOD_S = 5.0


class CameraNode(ManagedNode):
    """Wires topics to ObservationIntake, Companion and RobotStateTracker."""

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
        self._reference, *others = cameras_of(settings)
        self._health = self._camera_health(self._source_in_words())
        self._state_health = StateHealth(settings.max_state_gap)
        self._intake = ObservationIntake(self._reference, settings, self._states, self._health)
        self._converter = ImageConverter(find_bridge())
        self._waiting: Frame | None = None
        self._waits_until = 0.0
        self._sequence = 0
        self._observations = self.create_publisher(Observation, settings.observation_topic, LATEST)
        self.create_subscription(
            JointState, settings.joint_states_topic, self._on_joint_state, STATES, qos_overriding_options=OVERRIDABLE
        )
        self.create_subscription(PoseStamped, settings.ee_pose_topic, self._on_pose, STATES)
        self._patience = self.create_timer(max(settings.joint_wait, 1e-3), self._on_patience_end)
        self._patience.cancel()
        self._open_source(self._reference)
        self._companions = [self._open_companion(camera) for camera in others]
        entries = {f"camera {c.camera.name}": partial(self._assess_companion, c) for c in self._companions}
        assessments: dict[str, Callable[[], Health]] = {
            "camera": self._assess,
            **entries,
            "robot state": self._assess_state,
        }
        self._diagnostics = DiagnosticsPublisher(self, assessments)
        decoder = "cv_bridge" if self._converter.uses_bridge else "its own decoder"
        self.get_logger().info(f"waiting for images from {self._health.source}, with {decoder}")

    def _source_in_words(self) -> str:
        """Where images come from, for people."""
        settings = self._settings
        if settings.source == "topic":
            return str(self.resolve_topic_name(self._reference.subscribed_topic))
        return settings.device if settings.source == "device" else settings.file

    # Images in

    def _open_source(self, reference: Camera) -> None:
        self._video: VideoInput | None = None
        if self._settings.source == "topic":
            subscribe(self, reference, self._converter, self._ingest)
        else:
            self._video = VideoInput(self, self._settings, self._ingest, self.releases)

    def _open_companion(self, camera: Camera) -> Companion:
        health = self._camera_health(camera.subscribed_topic)
        companion = Companion(camera, health)
        intake = ObservationIntake(camera, self._settings, self._states, health)
        subscribe(self, camera, self._converter, partial(self._ingest_companion, companion, intake))
        return companion

    def _camera_health(self, source: str) -> CameraHealth:
        settings = self._settings
        return CameraHealth(source, settings.camera_timeout, settings.max_image_age, started_s=time.monotonic())

    def _frame_of(self, intake: ObservationIntake, image: CameraImage, camera: Camera) -> Frame | None:
        if not self.active:
            return None
        try:
            return intake.ingest(image, self.get_clock().now().nanoseconds, time.monotonic())
        except ImageError as error:
            self.get_logger().error(
                f"image of camera {camera.name} refused: {error}", throttle_duration_sec=LOG_PERIOD_S
            )
            return None

    def _ingest_companion(self, companion: Companion, intake: ObservationIntake, image: CameraImage) -> None:
        frame = self._frame_of(intake, image, companion.camera)
        if frame is not None:
            companion.insert(frame)
            self._send_if_known()

    def _ingest(self, image: CameraImage) -> None:
        frame = self._frame_of(self._intake, image, self._reference)
        if frame is None:
            return
        if self._waiting is not None:
            self._send(self._waiting)
        if self._settings.joint_wait > 0 and self._is_worth_waiting(frame.stamp_ns):
            self._waiting = frame
            self._patience.reset()
        else:
            self._send(frame)

    def _is_worth_waiting(self, stamp_ns: int) -> bool:
        """Whether a joint state, a pose or another camera's image nearer to the stamp [ns] is on its way."""
        patience = self._settings.joint_wait
        awaited = (companion.is_worth_waiting(stamp_ns, patience) for companion in self._companions)
        return self._states.is_worth_waiting(stamp_ns) or any(awaited)

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
        if self._waiting is not None and not self._is_worth_waiting(self._waiting.stamp_ns):
            self._send(self._waiting)

    def _on_patience_end(self) -> None:
        if self._waiting is not None:
            self._send(self._waiting)

    def _send(self, frame: Frame) -> None:
        self._waiting = None
        self._patience.cancel()
        state = self._states.at(frame.stamp_ns)
        now_ns = self.get_clock().now().nanoseconds
        picked = {c.camera.name: c.pick(frame.stamp_ns, now_ns, time.monotonic()) for c in self._companions}
        frames = {self._reference.name: frame, **picked}
        message = observation_to_msg(frames, state, self._base_frame, self._sequence, now_ns)
        self._observations.publish(message)
        self._sequence += 1
        self._health.note_sent(message.image_age, time.monotonic())
        self._state_health.note_used(state, time.monotonic())

    def _assess(self) -> Health:
        self._health.source_problem = self._video.problem if self._video is not None else ""
        return self._health.report(time.monotonic())

    def _assess_companion(self, companion: Companion) -> Health:
        return companion.report(time.monotonic())

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
