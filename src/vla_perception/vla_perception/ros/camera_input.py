# SPDX-License-Identifier: Apache-2.0
"""Images from topics and from the built-in video source, as CameraImage."""

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy, qos_profile_sensor_data
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header
from vla_core.observation_map.camera import Camera, Transport
from vla_core.ros.managed import OVERRIDABLE
from vla_core.ros.time import ns_from_msg, time_from_ns

from vla_perception.camera.observation_intake import CameraImage
from vla_perception.image.encodings import Uint8Array
from vla_perception.image.video_source import VideoSource, VideoTarget
from vla_perception.ros.image_conversion import ImageConverter, content_of
from vla_perception.ros.messages import image_to_msg
from vla_perception.settings import CameraSettings

LATEST = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)  # also receives what reliable publishers send
OnImage = Callable[[CameraImage], None]


def subscribe(node: Node, camera: Camera, converter: ImageConverter, on_image: OnImage) -> None:
    """Subscribe to the images of a camera."""
    compressed = camera.transport is Transport.COMPRESSED
    decode = converter.compressed_to_rgb if compressed else converter.raw_to_rgb

    def receive(message: Image | CompressedImage) -> None:
        header = message.header
        stamp_ns = ns_from_msg(header.stamp)
        on_image(CameraImage(stamp_ns, header.frame_id, content_of(message), partial(decode, message)))

    kind = CompressedImage if compressed else Image
    node.create_subscription(kind, camera.subscribed_topic, receive, LATEST, qos_overriding_options=OVERRIDABLE)


class VideoInput:
    """The built-in source, a file or a device; also published as a topic with publish_raw."""

    def __init__(self, node: Node, settings: CameraSettings, on_image: OnImage, releases: ExitStack) -> None:
        """Open the source; `releases` closes it."""
        is_device = settings.source == "device"
        target = VideoTarget(
            settings.device if is_device else settings.file,
            is_device,
            settings.loop,
            settings.file_rate,
            settings.device_height,
            settings.device_width,
        )
        self._frame_id, self._on_image = settings.camera_frame, on_image
        self._newest: tuple[Uint8Array, int] | None = None
        self._ready = node.create_guard_condition(self._on_video)
        publish = settings.publish_raw
        self._raw = node.create_publisher(Image, settings.image_topic, qos_profile_sensor_data) if publish else None
        self._source = VideoSource(target, lambda: node.get_clock().now().nanoseconds, self._from_thread)
        self._source.start()
        releases.callback(self._source.stop)

    @property
    def problem(self) -> str:
        """Why no images come; empty when they do."""
        return self._source.problem

    def _from_thread(self, rgb: Uint8Array, stamp_ns: int) -> None:
        self._newest = (rgb, stamp_ns)  # the newest wins
        self._ready.trigger()

    def _on_video(self) -> None:
        image, self._newest = self._newest, None
        if image is None:
            return
        rgb, stamp_ns = image
        if self._raw is not None:
            self._raw.publish(image_to_msg(Header(stamp=time_from_ns(stamp_ns), frame_id=self._frame_id), rgb))
        self._on_image(CameraImage(stamp_ns, self._frame_id, rgb.reshape(-1), lambda: rgb))
