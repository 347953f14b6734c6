# SPDX-License-Identifier: Apache-2.0
"""Pictures of random tables with the truth about them. No physics: objects are put where they are to be seen."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType

import mujoco
import numpy as np
from numpy.typing import NDArray
from vla_perception.scene.projection import CameraPose
from vla_perception.scene.support import Hand
from vla_sim.world.camera import Camera
from vla_sim.world.scene import BLOCKS, BOWL, DISTRACTORS, body_name
from vla_sim.world.world import World

from vla_training.scene.arm_states import ArmState

Array = NDArray[np.float64]
NAMES: tuple[str, ...] = (*BLOCKS, BOWL)
_VISIBLE = 6  # pixels of a 128 x 160 picture that an object has to show
_BLOCK_Z, _FLOOR_OF_BOWL, _STOREY = 0.02, 0.028, 0.04  # [m]


@dataclass(frozen=True, slots=True, eq=False)
class SceneSample:
    """One picture. positions (n, 3) [m], pixels (n, 2) and visible (n,) in the order of NAMES."""

    image: NDArray[np.uint8]  # (256, 320, 3)
    positions: Array
    pixels: Array
    visible: NDArray[np.bool_]
    camera: CameraPose
    hand: Hand


class SceneSampler:
    """Draws tables. `varied`: camera, light and colours are drawn as well; else they are the simulator's own."""

    def __init__(self, robot: str, states: Sequence[ArmState], varied: bool = True) -> None:
        self._world = World(robot)
        self._camera, self._small = Camera(self._world), Camera(self._world, 128, 160)
        self._small._renderer.enable_segmentation_rendering()
        self._states, self._varied = states, varied
        model = self._world.model
        self._rgba, self._quat = model.geom_rgba.copy(), model.cam_quat.copy()
        self._pos, self._fovy = model.cam_pos.copy(), model.cam_fovy.copy()

    def __enter__(self) -> SceneSampler:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._camera.close()
        self._small.close()

    def draw(self, seed: Sequence[int]) -> SceneSample:
        """Return the picture of that seed."""
        rng, world = np.random.default_rng(seed), self._world
        world.park_all()
        state = self._states[int(rng.integers(len(self._states)))]
        world.reset_robot((state.joints + rng.normal(0, 0.03, len(state.joints)) * (state.held is None)).tolist())
        self._set_fingers(state.width)
        self._lay(rng, state)
        if self._varied:
            self._vary(rng)
        mujoco.mj_forward(world.model, world.data)
        return self._look()

    def _set_fingers(self, width: float) -> None:
        for name in self._world.robot.finger_joint_names:
            self._world.data.joint(name).qpos[:] = width / 2

    def _lay(self, rng: np.random.Generator, state: ArmState) -> None:
        world, robot = self._world, self._world.robot
        names = [str(name) for name in rng.permutation(BLOCKS)[: rng.integers(1, 6)]]
        placed: list[tuple[float, float, float]] = []
        if state.held is not None:
            world.place(names.pop(), state.held[:3].tolist(), _yaw(state.held))
        if rng.random() < 0.85:
            x, y = _free(rng, robot.table_center_x, robot.reach_x, robot.reach_y, placed, 0.075)
            world.place(BOWL, (x, y, 0.001), rng.uniform(-0.3, 0.3))
            inside = int(rng.choice([0, 0, 1, 2, 3, 4]))
            self._fill(rng, names, inside, (x, y))
        for name in names:
            x, y = _free(rng, robot.table_center_x, robot.reach_x + 0.06, robot.reach_y + 0.07, placed, 0.022)
            world.place(name, (x, y, _BLOCK_Z), rng.uniform(-0.8, 0.8))
        for name in DISTRACTORS:
            if rng.random() < 0.25:
                x, y = _free(rng, robot.table_center_x, robot.reach_x, robot.reach_y, placed, 0.03)
                world.place(name, (x, y, 0.03 if "can" in name else 0.015), 0.0)

    def _fill(self, rng: np.random.Generator, names: list[str], inside: int, bowl: tuple[float, float]) -> None:
        """Put some blocks into the bowl, one upon the other or side by side."""
        stacked, side = rng.random() < 0.7, rng.uniform(0, 2 * math.pi)
        for storey in range(min(inside, len(names))):
            level, angle = (storey, side) if stacked else (storey // 2, side + math.pi * (storey % 2))
            radius = abs(rng.normal(0, 0.006)) if stacked else rng.uniform(0.022, 0.036)
            x, y = bowl[0] + radius * math.cos(angle), bowl[1] + radius * math.sin(angle)
            self._world.place(names.pop(), (x, y, _FLOOR_OF_BOWL + level * _STOREY), rng.uniform(-0.8, 0.8))

    def _vary(self, rng: np.random.Generator) -> None:
        model, front = self._world.model, self._world.model.camera("front").id
        model.cam_pos[front] = self._pos[front] + rng.normal(0, 0.02, 3)
        turn = np.zeros(4)
        mujoco.mju_euler2Quat(turn, rng.normal(0, 0.02, 3), "xyz")
        mujoco.mju_mulQuat(model.cam_quat[front], self._quat[front], turn)
        model.cam_fovy[front] = self._fovy[front] * rng.uniform(0.95, 1.05)
        model.light_diffuse[:] = rng.uniform(0.2, 0.6) * rng.uniform(0.85, 1.15, 3)
        model.light_dir[:] = [rng.uniform(-0.5, 0.5), rng.uniform(-0.6, 0.3), -1.0]
        model.vis.headlight.ambient[:] = rng.uniform(0.3, 0.55) * rng.uniform(0.93, 1.07, 3)
        model.geom_rgba[:] = self._rgba
        movable = {model.body(body_name(name)).id for name in NAMES}
        for geom in range(model.ngeom):
            if model.geom_bodyid[geom] in movable:
                model.geom_rgba[geom, :3] *= rng.uniform(0.9, 1.1)
        for name in ("table", "floor"):
            geom = model.geom(name).id
            base = self._rgba[geom, :3] if rng.random() < 0.4 else rng.uniform(0.15, 0.9) * rng.uniform(0.8, 1.2, 3)
            model.geom_rgba[geom, :3] = np.clip(base * rng.uniform(0.8, 1.2), 0, 1)

    def _look(self) -> SceneSample:
        world = self._world
        image = self._camera.render()
        self._small.look()
        shown = np.asarray(self._small._renderer.render())[..., 0]
        geoms = shown[shown >= 0]
        bodies = np.bincount(world.model.geom_bodyid[geoms], minlength=world.model.nbody)
        there = world.objects()
        positions = np.array([there[name][:3] if name in there else [np.nan] * 3 for name in NAMES])
        camera = front_camera(world, self._camera)
        pixels = camera.project(positions)
        rows, columns = image.shape[:2]
        within = (pixels >= 0).all(axis=1) & (pixels[:, 0] < columns) & (pixels[:, 1] < rows)
        seen = np.array([bodies[world.model.body(body_name(name)).id] >= _VISIBLE for name in NAMES])
        x, y, z = world.tcp_pose()[:3].tolist()
        return SceneSample(image, positions, pixels, within & seen, camera, Hand((x, y, z), world.gripper_width))


def front_camera(world: World, camera: Camera) -> CameraPose:
    """Return the true pose and intrinsics of the front camera; the world is up to date (mj_forward)."""
    seen = world.data.camera("front")
    rotation = seen.xmat.reshape(3, 3) @ np.diag([1.0, -1.0, -1.0])
    return CameraPose(camera.intrinsics(), rotation, seen.xpos.copy())


def draw_samples(
    robot: str, states: Sequence[ArmState], count: int, seed: int, varied: bool = True
) -> Iterator[SceneSample]:
    """Yield `count` pictures of the seed."""
    with SceneSampler(robot, states, varied) as sampler:
        for index in range(count):
            yield sampler.draw([seed, index])


def _free(
    rng: np.random.Generator,
    x: float,
    reach_x: float,
    reach_y: float,
    placed: list[tuple[float, float, float]],
    r: float,
) -> tuple[float, float]:
    """Draw a spot that touches nothing placed so far, and note it."""
    for _ in range(60):
        spot = float(x + rng.uniform(-reach_x, reach_x)), float(rng.uniform(-reach_y, reach_y))
        if all(math.hypot(spot[0] - ox, spot[1] - oy) > r + other for ox, oy, other in placed):
            break
    placed.append((*spot, r))
    return spot


def _yaw(pose: Array) -> float:
    x, y, z, w = pose[3:]
    return math.atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))
