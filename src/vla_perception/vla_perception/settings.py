# SPDX-License-Identifier: Apache-2.0
"""Every parameter of camera_node: default, unit, range and meaning, in one place. All are read once, at start."""

from dataclasses import dataclass

from vla_core.settings import SettingsError, check_settings, setting


@dataclass(frozen=True, slots=True)
class CameraSettings:
    """Parameters of camera_node. Raises SettingsError for a value out of its range."""

    source: str = setting("topic", "where images come from", choices=("topic", "file", "device"))
    image_topic: str = setting("camera/image_raw", "sensor_msgs/Image in; out too with publish_raw")
    image_transport: str = setting(
        "raw", "compressed: subscribe to image_topic/compressed instead", choices=("raw", "compressed")
    )
    joint_states_topic: str = setting("joint_states", "sensor_msgs/JointState in")
    ee_pose_topic: str = setting("vla/ee_pose", "geometry_msgs/PoseStamped of the tool centre point in")
    observation_topic: str = setting("vla/observation", "vla_msgs/Observation out")
    observation_map: str = setting(
        "", "cameras: path of a map, or bare name such as rt1; empty: one camera by these parameters"
    )
    robot_config: str = setting("", "robot description: path, or bare name such as fr3; empty: joints as they come")
    joint_names: tuple[str, ...] = setting((), "joints wanted, instead of the robot description's and others sent")
    finger_joints: tuple[str, ...] = setting(
        (), "joints whose travels [m] add up to the gripper's width, instead of the description's; one counts twice"
    )
    base_frame: str = setting("", "frame of ee_pose, instead of the robot description's; empty: as it comes")
    image_height: int = setting(0, "[pixels] of the policy's input without a map; 0: 128, or as the map says", 0, 8192)
    image_width: int = setting(0, "[pixels] of the policy's input without a map; 0: 160, or as the map says", 0, 8192)
    max_rate: float = setting(30.0, "[Hz] most observations a second", 0.1, 1000.0)
    joint_wait: float = setting(0.03, "[s] longest wait for a joint state newer than the image", 0.0, 1.0)
    max_state_gap: float = setting(0.1, "[s] beyond this a joint state or pose is not of the image's time", 0.0, 10.0)
    camera_timeout: float = setting(1.0, "[s] without a usable image until the diagnostics warn", 0.01, 3600.0)
    max_image_age: float = setting(0.5, "[s] older images (or from the future) make the diagnostics warn", 0.0, 3600.0)
    frozen_after: float = setting(1.0, "[s] of identical bytes that make the diagnostics warn; 0: never", 0.0, 3600.0)
    frozen_motion: float = setting(
        0.1, "[rad or m] joint motion without a change of picture that withholds observations; 0: never", 0.0, 100.0
    )
    file: str = setting("", "video file of source file")
    loop: bool = setting(True, "whether the file starts again at its end")
    file_rate: float = setting(0.0, "[Hz] of the file's pictures; 0: as the file says", 0.0, 1000.0)
    device: str = setting("/dev/video0", "camera of source device")
    device_height: int = setting(0, "[pixels] asked of the device; 0: its own choice", 0, 8192)
    device_width: int = setting(0, "[pixels] asked of the device; 0: its own choice", 0, 8192)
    camera_frame: str = setting("camera_optical_frame", "frame_id of images of source file or device")
    publish_raw: bool = setting(False, "also publish images of source file or device on image_topic")

    def __post_init__(self) -> None:
        """Check ranges and choices."""
        check_settings(self)


@dataclass(frozen=True, slots=True)
class SceneSettings:
    """Parameters of scene_node. Raises SettingsError for a value out of its range."""

    image_topic: str = setting("camera/image_raw", "sensor_msgs/Image in")
    camera_info_topic: str = setting("camera/camera_info", "sensor_msgs/CameraInfo in: the camera's intrinsics")
    observation_topic: str = setting("vla/observation", "vla_msgs/Observation in: pose of the tool, gripper width")
    scene_topic: str = setting("vla/perceived_scene", "vla_msgs/PerceivedScene out")
    overlay_topic: str = setting("vla/perceived_scene/image", "sensor_msgs/Image out: drawn over the picture")
    weights: str = setting("", "folder of a scene network of `vla train scene`; empty: the one that ships")
    robot_config: str = setting("", "robot description: path, or bare name such as fr3")
    camera_pose: tuple[float, ...] = setting(
        (), "x y z [m] and quaternion x y z w of the camera's optical frame in the base frame; empty: from /tf_static"
    )
    rate: float = setting(5.0, "[Hz] most scenes a second", 0.1, 60.0)
    threshold: float = setting(0.6, "confidence below which an object counts as absent", 0.01, 0.99)
    side_line: float = setting(0.15, "[m] |y| beyond which an object is on a side", 0.01, 2.0)
    threads: int = setting(1, "of the numerical library; 0: its own choice", 0, 64)

    def __post_init__(self) -> None:
        """Check ranges and choices."""
        check_settings(self)
        if self.camera_pose and len(self.camera_pose) != 7:
            raise SettingsError(f"camera_pose has {len(self.camera_pose)} numbers; valid: 7 (x y z, x y z w) or none")
