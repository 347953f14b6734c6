# SPDX-License-Identifier: Apache-2.0
"""The simulator node: wires a Simulation and its two threads to topics."""

import time

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock as RosClock
from rclpy.clock import ClockType
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.qos import qos_profile_sensor_data as SENSOR
from sensor_msgs.msg import CameraInfo, Image, JointState
from tf2_msgs.msg import TFMessage
from vla_core.ros.diagnostics import diagnostics_name
from vla_core.ros.managed import OVERRIDABLE, ManagedNode
from vla_core.ros.parameters import declare_settings

from vla_msgs.msg import SceneState, TaskStatus
from vla_msgs.srv import Disturb, SetTask
from vla_sim.ros.arm_mirror import ArmMirror
from vla_sim.ros.command_intake import CommandIntake
from vla_sim.ros.messages import (
    camera_info_to_msg,
    header,
    image_to_msg,
    joints_to_msg,
    scene_to_msg,
    status_to_msg,
    transform_to_msg,
)
from vla_sim.ros.time_control import TimeControl
from vla_sim.run.clock import LoopClock, SimulatedClock, WallClock
from vla_sim.run.loops import VIEWER_NICE, CameraLoop, Shot
from vla_sim.run.physics import PhysicsLoop
from vla_sim.settings import Settings
from vla_sim.task.disturbance import DisturbanceError
from vla_sim.task.task import TaskError
from vla_sim.variation.axes import VariationError
from vla_sim.world.outside_view import OutsideCamera
from vla_sim.world.robots import UnknownRobotError
from vla_sim.world.scene import CAMERA, VIEWER_CAMERA, WRIST_CAMERA
from vla_sim.world.simulation import JointReading, Simulation

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
SCENE_EVERY, STATUS_EVERY = 5, 10  # joint states: 50 ms and 100 ms of simulated time
PAUSED_PERIOD_S, DIAGNOSTICS_PERIOD_S = 0.1, 1.0
SLOW = 0.95  # real-time factor, and share of the camera's rate, below which a warning is due


class SimulatorNode(ManagedNode):
    """What a real arm, its gripper and its cameras look like from ROS, plus ground truth on sim/."""

    UNUSABLE = (*ManagedNode.UNUSABLE, UnknownRobotError, VariationError)

    def __init__(self) -> None:
        super().__init__("simulator_node")
        declare_settings(self, Settings)
        self.add_on_set_parameters_callback(self._on_parameters)

    def configure(self) -> None:
        """Lay the table and create the entities; simulated time stands still until the node is active."""
        settings = declare_settings(self, Settings)
        self._simulation = Simulation.varied(settings.robot, settings.action_delay, settings.seed, settings.variation)
        world = self._simulation.world
        self._frame = world.robot.base_frame
        self._lay_first_task(settings)
        simulated = SimulatedClock(settings.real_time_factor) if settings.sim_time else None
        self._loop_clock: LoopClock = simulated or WallClock()
        self._create_outputs(settings)
        arm_topic = settings.arm_command_topic or world.robot.arm_command_topic
        topics = ("", "") if settings.arm_from else (arm_topic, settings.gripper_command_topic)
        self._commands = CommandIntake(self, self._simulation, self._loop_clock, *topics)
        if settings.arm_from:
            ArmMirror(self, self._simulation, settings.arm_from, settings.hand_feedback)
        self._physics = PhysicsLoop(self._simulation, self._on_state, self._on_failure, simulated)
        self._time = TimeControl(self, self._physics, simulated, settings.step_size)
        self._cameras, self._viewer = self._create_cameras(settings)
        self._cameras.delay = settings.camera_delay
        self._states = 0  # joint states published
        self._seen = (time.monotonic(), 0, 0)  # when diagnostics last ran: time, frames, refusals
        moved = f"the arm is where {settings.arm_from} says" if settings.arm_from else f"arm commands on {arm_topic}"
        self.get_logger().info(f"simulating {world.robot.name}; {moved}")

    def activate(self) -> None:
        """Start the threads."""
        self._physics.start()
        self._cameras.start()
        self._viewer.start()

    def deactivate(self) -> None:
        """End the threads; simulated time stands still."""
        self._physics.stop()
        self._cameras.stop()
        self._viewer.stop()

    def _create_cameras(self, settings: Settings) -> tuple[CameraLoop, CameraLoop]:
        """The cameras of the robot, and beside them in a thread of its own the one for people."""
        rates = {CAMERA: settings.camera_rate, WRIST_CAMERA: settings.wrist_rate}
        size = (settings.camera_height, settings.camera_width)
        viewer_rate = {VIEWER_CAMERA: settings.viewer_camera_rate}
        viewer_size = (settings.viewer_camera_height, settings.viewer_camera_width)
        return (
            CameraLoop(self._simulation, self._loop_clock, rates, size, self._publish_shot, self._on_failure),
            CameraLoop(
                self._simulation,
                self._loop_clock,
                viewer_rate,
                viewer_size,
                self._publish_shot,
                self._on_failure,
                VIEWER_NICE,
                OutsideCamera,
            ),
        )

    def _create_outputs(self, settings: Settings) -> None:
        self._joints = None  # of another's arm, which publishes them itself
        if not settings.arm_from:
            self._joints = self.create_publisher(
                JointState, settings.joint_states_topic, 10, qos_overriding_options=OVERRIDABLE
            )
        self._images = {
            name: (
                self.create_publisher(Image, f"{space}/image_raw", SENSOR, qos_overriding_options=OVERRIDABLE),
                self.create_publisher(CameraInfo, f"{space}/camera_info", SENSOR, qos_overriding_options=OVERRIDABLE),
                frame,
            )
            for name, space, rate, frame in (
                (CAMERA, settings.camera, settings.camera_rate, "camera_optical_frame"),
                (WRIST_CAMERA, settings.wrist_camera, settings.wrist_rate, "wrist_camera_optical_frame"),
                (VIEWER_CAMERA, settings.viewer_camera, 1.0, "viewer_camera_optical_frame"),  # may be turned on later
            )
            if rate > 0
        }
        self._scene = self.create_publisher(SceneState, "sim/scene_state", 10)
        self._status = self.create_publisher(TaskStatus, "sim/task_status", 10)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self.create_service(SetTask, "sim/set_task", self._on_set_task)
        self.create_service(Disturb, "sim/disturb", self._on_disturb)
        self._transforms = self.create_publisher(TFMessage, "/tf_static", LATCHED)
        pose = self._simulation.world.camera_pose(CAMERA)
        self._transforms.publish(TFMessage(transforms=[transform_to_msg(0, self._frame, "camera_optical_frame", pose)]))
        wall = RosClock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(PAUSED_PERIOD_S, self._publish_paused, clock=wall)
        self.create_timer(DIAGNOSTICS_PERIOD_S, self._publish_diagnostics, clock=wall)

    # Tasks

    def _lay_first_task(self, settings: Settings) -> None:
        if not settings.task:
            return
        try:
            self._simulation.set_task(settings.task, seed=settings.seed)
        except TaskError as error:
            self.get_logger().warning(f"parameter task: {error}; the table is laid at random and nothing is judged")

    def _on_set_task(self, request: SetTask.Request, response: SetTask.Response) -> SetTask.Response:
        try:
            text, task = self._simulation.set_task(
                request.instruction, request.family, request.seed, request.keep_objects
            )
        except TaskError as error:
            response.reason = str(error)
            self.get_logger().warning(f"task refused: {error}")
            return response
        response.accepted, response.instruction, response.family = True, text, task.family
        self.get_logger().info(f"task: {text}")
        return response

    def _on_disturb(self, request: Disturb.Request, response: Disturb.Response) -> Disturb.Response:
        try:
            response.message = self._simulation.disturb(request.kind, request.object, request.seed)
        except DisturbanceError as error:
            response.message = str(error)
            return response
        response.success = True
        self.get_logger().info(f"disturbed: {response.message}")
        return response

    def _on_parameters(self, parameters: list[Parameter]) -> SetParametersResult:
        """Only the live ones come here; their range is checked already. `configure` reads them as well."""
        if not self.configured:
            return SetParametersResult(successful=True)
        for parameter in parameters:
            if parameter.name == "camera_delay":
                self._cameras.delay = parameter.value
            elif parameter.name == "action_delay":
                self._simulation.set_action_delay(parameter.value)
            elif parameter.name == "viewer_camera_rate":
                self._viewer.set_rate(VIEWER_CAMERA, parameter.value)
            elif parameter.name == "step_size":
                self._time.step_size = parameter.value
            elif parameter.name == "real_time_factor" and (reason := self._time.set_speed(parameter.value)):
                return SetParametersResult(successful=False, reason=reason)
        return SetParametersResult(successful=True)

    # Outputs

    def _on_state(self, reading: JointReading) -> None:
        """Publish a state of the world, every 10 ms of simulated time; called by the physics thread."""
        self._time.publish()  # first: what follows is not of the future
        if self._joints is not None:
            self._joints.publish(joints_to_msg(reading))
        self._states += 1
        if self._states % SCENE_EVERY == 0:
            self._publish_scene()
        if self._states % STATUS_EVERY == 0:
            self._publish_status()

    def _publish_paused(self) -> None:
        """While the world stands still, tell those who come now its time and its truth."""
        if self._physics.paused:
            self._time.publish()
            self._publish_scene()
            self._publish_status()

    def _publish_shot(self, shot: Shot) -> None:
        images, infos, frame = self._images[shot.camera]
        infos.publish(camera_info_to_msg(shot, frame))
        images.publish(image_to_msg(shot, frame))

    def _publish_scene(self) -> None:
        self._scene.publish(scene_to_msg(self._simulation.scene(), self._frame))

    def _publish_status(self) -> None:
        task = self._simulation.task()
        if task is not None:
            message = TaskStatus(
                header=header(self._loop_clock.stamp_ns()), instruction=task.instruction, family=task.family
            )
            message.success, message.elapsed = task.success, task.elapsed
            message.real_time_factor = self._physics.real_time_factor
            self._status.publish(message)

    def _publish_diagnostics(self) -> None:
        now, frames, refused = time.monotonic(), self._cameras.frames, self._commands.refused.total()
        before, frames_before, refused_before = self._seen
        self._seen = (now, frames, refused)
        factor, aim = self._physics.real_time_factor, self._physics.aim
        rate, wanted = (frames - frames_before) / max(now - before, 1e-3), self._cameras.wanted_hz * aim
        than = "real time" if aim == 1.0 else f"the real-time factor {aim:g}"
        slow = f"slower than {than}: {factor:.2f}" if factor < SLOW * aim else ""
        late = f"{rate:.1f} of {wanted:.1f} images a second" if rate < wanted * SLOW - 1.0 else ""
        wrong = self._commands.last_refusal if refused > refused_before else ""
        physics = {
            "paused": self._physics.paused,
            "real_time_factor": f"{factor:.3f}",
            "lost_s": f"{self._physics.lost_s:.2f}",
        }
        camera = {"rate_hz": f"{rate:.1f}", "frames": frames, "render_ms": f"{self._cameras.render_s * 1e3:.1f}"}
        commands = {"accepted": self._commands.accepted, "refused": refused, **self._commands.refused}
        name = diagnostics_name(self)
        message = DiagnosticArray(header=header(self._loop_clock.stamp_ns()))
        message.status = [
            status_to_msg(f"{name}: physics", slow, physics),
            status_to_msg(f"{name}: cameras", late, camera),
            status_to_msg(f"{name}: commands", wrong, commands),
        ]
        self._diagnostics.publish(message)

    def _on_failure(self, text: str) -> None:
        """Called by a thread that died, also when the shutdown cut a publication short: that is no failure."""
        if self.context.ok():
            self.failure = text
            self.get_logger().fatal(text)
            self.end()
