# SPDX-License-Identifier: Apache-2.0
"""The graph without ROS: world, perception's resize, policy and controller take turns in simulated time.

The classes are those that the nodes wrap. What differs is time: here the simulator waits, and inference takes
`inference_time` of simulated time, whatever it takes on the clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import mujoco
import numpy as np
from numpy.typing import NDArray
from vla_controller.arm_controller import ArmController
from vla_controller.motion.setpoint import Setpoint
from vla_controller.refusals import Refusal
from vla_controller.settings import ControllerSettings
from vla_core.action import ActionChunk
from vla_core.observation_map.camera import Camera as MapCamera
from vla_core.rotation import Pose
from vla_core.trajectory.spline import TrajectoryPoint
from vla_policy.policy import Observation
from vla_sim.world.camera import Camera
from vla_sim.world.world import World

from vla_training.evaluate.pictures import Pictures, single_camera

INSTRUCTION_ID = "lockstep"


@dataclass(frozen=True, slots=True)
class LockstepSettings:
    """Times in [s]. `controller`: its settings, as in config/controller_node.yaml."""

    policy_period: float = 0.2
    controller_period: float = 0.05
    inference_time: float = 0.1
    controller: ControllerSettings = field(default_factory=ControllerSettings)


class Lockstep:
    """One robot in one world, stepped by hand. Stamps are simulation time."""

    def __init__(
        self,
        world: World,
        camera: Camera | None = None,
        image_size: tuple[int, int] | None = (128, 160),
        settings: LockstepSettings | None = None,
        cameras: Sequence[MapCamera] = (),
    ) -> None:
        """Prepare; `start` begins.

        Args:
            world: robot and table.
            camera: draws pictures; without one they are black.
            image_size: (height, width) [pixels] of the one front camera, where there are no `cameras`.
            settings: times.
            cameras: those of an observation map. Raises ObservationMapError for one that is not simulated.
        """
        self.world = world
        self.settings = settings or LockstepSettings()
        config, period = world.robot.config, self.settings.controller_period
        self.controller = ArmController(config, period, self.settings.controller)
        self.setpoints: list[Setpoint] = []  # since `start`
        self._ticks = round(self.settings.policy_period / self.settings.controller_period)
        self._pictures = Pictures(cameras or single_camera(image_size), camera)
        self._sequence = 0

    def forget(self) -> None:
        """Forget the physics' whole past, clock included, so that an episode does not depend on earlier ones.

        Afterwards the table has to be laid, then `start` called.
        """
        mujoco.mj_resetData(self.world.model, self.world.data)

    def start(self, joints: NDArray[np.float64] | None = None, opening: float = 1.0) -> None:
        """Teleport the arm (default: home), forget everything, let the objects settle."""
        self.world.reset_robot(self.world.robot.home if joints is None else joints.tolist(), opening)
        self.world.step(0.1)
        self.controller.reset(self.world.joint_state()[1][: len(self.world.robot.joint_names)])
        self._sense()
        self.controller.set_instruction(INSTRUCTION_ID)
        self.setpoints.clear()

    def new_instruction(self) -> None:
        """What the controller hears when the operator changes the task in mid-run."""
        self.controller.set_instruction(INSTRUCTION_ID, stop=True)
        self.controller.set_instruction(INSTRUCTION_ID)

    def observe(self, scene: bool = False, image: bool = True) -> Observation:
        """What perception would publish now."""
        names, positions, _ = self.world.joint_state()
        pose = self._tool_pose()
        return Observation(
            stamp=self.world.time,
            images=self._pictures.take(image),
            joint_names=names,
            joint_position=positions,
            ee_position=pose.position,
            ee_quaternion_xyzw=pose.quaternion,
            gripper_width=self.world.gripper_width,
            scene=self.world.objects() if scene else None,
        )

    def apply(self, observation: Observation, chunk: ActionChunk) -> Refusal | None:
        """Let one policy period pass; the chunk reaches the controller when inference would have ended.

        Inference that takes longer than a period makes the period longer, as for a policy that does one at a time.
        """
        refusal: Refusal | None = None
        arrival = round(self.settings.inference_time / self.settings.controller_period)
        for tick in range(max(self._ticks, arrival + 1)):
            if tick == arrival:
                refusal = self.controller.accept(self._addressed(observation, chunk), self.world.time)
                if tick >= self._ticks:
                    break
            self._tick()
        return refusal

    def hold(self) -> None:
        """Let one policy period pass without a chunk."""
        for _ in range(self._ticks):
            self._tick()

    def _tick(self) -> None:
        dt = self.settings.controller_period
        setpoint = self.controller.tick(self.world.time)
        if setpoint is not None:
            self.setpoints.append(setpoint)
            ahead = setpoint.ahead
            rows = zip(ahead.times.tolist(), ahead.q, ahead.qd, ahead.qdd, strict=True)
            self.world.command_arm([TrajectoryPoint(*row) for row in rows])
            if np.isfinite(setpoint.gripper):
                self.world.command_gripper(self.world.robot.finger_travel(setpoint.gripper))
        self.world.step(dt)
        self._sense()

    def _sense(self) -> None:
        _, positions, velocities = self.world.joint_state()
        n = len(self.world.robot.joint_names)
        self.controller.update_joint_state(self.world.time, positions[:n], velocities[:n])

    def _tool_pose(self) -> Pose:
        _, positions, _ = self.world.joint_state()
        return self.controller.kinematics.fk(positions[: len(self.world.robot.joint_names)])

    def _addressed(self, observation: Observation, chunk: ActionChunk) -> ActionChunk:
        """Return the chunk as the policy node would send it."""
        self._sequence += 1
        return replace(
            chunk.checked(),
            frame_id=self.controller.config.base_frame,
            instruction_id=INSTRUCTION_ID,
            sequence=self._sequence,
            observed_pose=Pose(observation.ee_position, observation.ee_quaternion_xyzw),
            observed_joints=self._observed_joints(observation, chunk),
        )

    def _observed_joints(self, observation: Observation, chunk: ActionChunk) -> NDArray[np.float64] | None:
        """Return the observed positions (n,) in the chunk's joint order."""
        positions = dict(zip(observation.joint_names, observation.joint_position, strict=True))
        return np.array([positions[name] for name in chunk.joint_names]) if chunk.joint_names else None
