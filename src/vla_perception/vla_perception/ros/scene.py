# SPDX-License-Identifier: Apache-2.0
"""The node scene_node: what lies on the table, from the camera's picture and its calibration."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from rclpy.qos import DurabilityPolicy, QoSProfile, qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image
from tf2_msgs.msg import TFMessage
from vla_core.health import Health, Level
from vla_core.robot import load_robot_config
from vla_core.ros.diagnostics import DiagnosticsPublisher
from vla_core.ros.managed import ManagedNode
from vla_core.ros.parameters import declare_settings
from vla_core.ros.time import ns_from_msg
from vla_core.scene import Scene, SceneRules, SeenObject

from vla_msgs.msg import Observation, PerceivedObject, PerceivedScene
from vla_perception.errors import ImageError
from vla_perception.ros.camera_input import LATEST
from vla_perception.ros.image_conversion import ImageConverter, find_bridge
from vla_perception.ros.messages import image_to_msg
from vla_perception.scene.detector import Detection, SceneDetector, SceneWeightsError
from vla_perception.scene.memory import SceneMemory
from vla_perception.scene.overlay import draw
from vla_perception.scene.projection import CameraPose, matrix_of
from vla_perception.scene.support import Hand
from vla_perception.settings import SceneSettings

STATIC = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)
STALE_S = 2.0  # [s] without a scene, after which the diagnostics warn


class SceneNode(ManagedNode):
    """Wires topics to SceneDetector and SceneMemory."""

    UNUSABLE = (*ManagedNode.UNUSABLE, SceneWeightsError)

    def __init__(self) -> None:
        super().__init__("scene_node")
        self._settings = declare_settings(self, SceneSettings)

    def configure(self) -> None:
        """Load the network and create the entities."""
        settings = self._settings
        folder = Path(settings.weights).expanduser() if settings.weights else None
        self._detector = SceneDetector(folder, settings.threshold, settings.threads)
        self._memory, self._scene = SceneMemory(), Scene()
        self._base = load_robot_config(settings.robot_config).base_frame if settings.robot_config else ""
        self._transforms: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self._info: CameraInfo | None = None
        self._tool: Observation | None = None
        self._converter = ImageConverter(find_bridge())
        self._next = self._published = 0.0  # [s], monotonic
        self._problem = "no image has come"
        self._scenes = self.create_publisher(PerceivedScene, settings.scene_topic, 10)
        self._overlay = self.create_publisher(Image, settings.overlay_topic, qos_profile_sensor_data)
        self.create_subscription(TFMessage, "/tf_static", self._on_transforms, STATIC)
        self.create_subscription(CameraInfo, settings.camera_info_topic, self._on_info, LATEST)
        self.create_subscription(Observation, settings.observation_topic, self._on_observation, LATEST)
        self.create_subscription(Image, settings.image_topic, self._on_image, LATEST)
        self._diagnostics = DiagnosticsPublisher(self, {"scene": self._assess})
        self.get_logger().info(f"perceiving {', '.join(self._detector.names)}")

    def _on_transforms(self, message: TFMessage) -> None:
        for transform in message.transforms:
            if not self._base or transform.header.frame_id == self._base:
                t, q = transform.transform.translation, transform.transform.rotation
                rotation = matrix_of(np.array([q.x, q.y, q.z, q.w]))
                self._transforms[transform.child_frame_id] = (rotation, np.array([t.x, t.y, t.z]))

    def _on_info(self, message: CameraInfo) -> None:
        self._info = message

    def _on_observation(self, message: Observation) -> None:
        self._tool = message if message.ee_pose_valid else None
        self._base = self._base or message.base_frame

    def _on_image(self, message: Image) -> None:
        now = time.monotonic()
        if not self.active or now < self._next:
            return
        self._next = now + 1.0 / self._settings.rate
        try:
            picture = self._converter.raw_to_rgb(message)
            camera = self._camera(message)
        except ImageError as error:
            self._problem = str(error)
            return
        if camera is None:
            return
        tool = self._tool_position()
        hand = Hand(tool, self._tool.gripper_width) if self._tool is not None and tool is not None else None
        detections = self._detector.detect(picture, camera, hand)
        known = self._memory.update(detections, ns_from_msg(message.header.stamp) * 1e-9, tool, self._scene.held)
        width = self._tool.gripper_width if self._tool is not None else float("nan")
        rules = SceneRules(side_line=self._settings.side_line)
        self._scene = Scene({d.name: _seen(d) for d in known}, tool, width, rules=rules)
        self._scenes.publish(self._to_msg(message))
        self._problem, self._published = "", now
        if self._overlay.get_subscription_count():
            self._overlay.publish(image_to_msg(message.header, draw(picture, detections)))

    def _camera(self, message: Image) -> CameraPose | None:
        """Return the camera's geometry for this picture; None, with the problem noted, where it is not known."""
        frame, pose = message.header.frame_id, self._settings.camera_pose
        if self._info is None or not any(self._info.k):
            self._problem = f"no intrinsics have come on {self._settings.camera_info_topic}"
            return None
        if pose:
            rotation, position = matrix_of(np.array(pose[3:])), np.array(pose[:3])
        elif frame in self._transforms:
            rotation, position = self._transforms[frame]
        else:
            self._problem = f"no transform from the base frame to {frame!r} on /tf_static; valid also: camera_pose"
            return None
        camera = CameraPose(np.array(self._info.k).reshape(3, 3), rotation, position)
        size = (self._info.height, self._info.width)
        return camera.scaled(size, (message.height, message.width))

    def _tool_position(self) -> tuple[float, float, float] | None:
        if self._tool is None:
            return None
        p = self._tool.ee_pose.position
        return p.x, p.y, p.z

    def _to_msg(self, image: Image) -> PerceivedScene:
        message = PerceivedScene(camera=image.header.frame_id)
        message.header.stamp, message.header.frame_id = image.header.stamp, self._base
        for seen in self._scene.objects.values():
            thing = PerceivedObject(name=seen.name, confidence=seen.confidence, position_deviation=seen.deviation)
            thing.position.x, thing.position.y, thing.position.z = seen.position
            thing.relations = list(self._scene.relations(seen.name))
            message.objects.append(thing)
        return message

    def _assess(self) -> Health:
        values = {"objects": ", ".join(self._scene.names)}
        if self._problem:
            return Health(Level.WARN, "no scene", self._problem, values)
        if time.monotonic() - self._published > STALE_S:
            return Health(Level.WARN, "no scene", f"no picture for {STALE_S:g} s", values)
        return Health(Level.OK, "ok", "perceiving", values)


def _seen(detection: Detection) -> SeenObject:
    return SeenObject(detection.name, detection.position, detection.confidence, detection.deviation)
