# SPDX-License-Identifier: Apache-2.0
"""A world with a task on its table, safe to use from several threads. No ROS."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from vla_core.trajectory.checks import Joints
from vla_core.trajectory.spline import TrajectoryPoint

from vla_sim.task.disturbance import disturb
from vla_sim.task.task import FAMILIES, SuccessTest, Task, TaskError, parse_task
from vla_sim.variation.picture import develop
from vla_sim.variation.variation import Drawn, Variation, parse_variation
from vla_sim.variation.varier import Varier, dress
from vla_sim.world.camera import Camera
from vla_sim.world.dressing import Dressing
from vla_sim.world.layout import Layout, sample_layout, sample_task
from vla_sim.world.scene import TIMESTEP, VIEWER_CAMERA
from vla_sim.world.world import World

Array = NDArray[np.float64]
MAX_TEXT = 512  # characters of an instruction
JUDGE_STEPS = 25  # the success test is asked every 50 ms of simulated time
_DRAWS = 100


class DivergedError(RuntimeError):
    """The simulated state became infinite or not a number."""


@dataclass(frozen=True, slots=True)
class JointReading:
    """Arm joints, then fingers. `stamp_ns` is the ROS time of this state."""

    stamp_ns: int
    names: tuple[str, ...]
    positions: Array  # [rad], [m]
    velocities: Array  # [rad/s], [m/s]


@dataclass(frozen=True, slots=True)
class SceneReading:
    """Ground truth in the robot's base frame; poses (7,): x y z [m], quaternion x y z w."""

    stamp_ns: int
    objects: dict[str, Array]
    tcp: Array
    gripper_width: float  # [m]


@dataclass(frozen=True, slots=True)
class TaskReading:
    """How the task stands."""

    instruction: str
    family: str
    success: bool
    elapsed: float  # [s] of simulation since the task was set


class Simulation:
    """One world. Every method may be called from any thread; none holds the world for more than a few milliseconds."""

    def __init__(self, world: World, seed: int = 0, variation: Variation | None = None) -> None:
        """Lay out a random table without a task. With a `variation` each table differs, by the seed that it has."""
        self.world = world
        self._variation = variation or Variation()
        self._varier, self._drawn = Varier(world), Drawn()
        self._vary(seed)
        self._lock = threading.Lock()
        self._stamp_ns = 0
        self._steps = 0
        self._test: SuccessTest | None = None
        self._text = ""
        self._success = False
        self._task_since = 0.0
        rng = np.random.default_rng(seed)
        self._layout(sample_task(rng), rng).apply(world)

    @classmethod
    def varied(cls, robot: str, action_delay: float, seed: int, words: str) -> Simulation:
        """Make a world whose tables vary as `words` say. Raises VariationError and UnknownRobotError."""
        variation = parse_variation(words.split())
        cloth = dress(Dressing(), variation.draw(seed))  # compiled in: one for all tables of this world
        return cls(World(robot, action_delay, cloth), seed, variation)

    def _vary(self, seed: int) -> None:
        """Make the world what a seed draws; the arm is not moved, and a cloth stays the one that was compiled."""
        if self._variation:
            self._drawn = self._variation.draw(seed)
            self._varier.set(self._drawn)
        self._develop = partial(develop, drawn=self._drawn, rng=np.random.default_rng(seed))

    # Physics

    def advance(self, steps: int, stamp_ns: int) -> None:
        """Take physics steps; the state after them belongs to `stamp_ns`. Raises DivergedError."""
        with self._lock:
            before = self.world.time
            while steps > 0:
                now = min(steps, JUDGE_STEPS - self._steps % JUDGE_STEPS)
                self.world.step(now * TIMESTEP)
                self._steps += now
                steps -= now
                if self._steps % JUDGE_STEPS == 0 and self._test is not None:
                    self._success = self._test.update()
            if self.world.time < before:  # MuJoCo starts over when numbers become infinite
                raise DivergedError("the physics diverged; the world is no longer what was simulated")
            self._stamp_ns = stamp_ns

    def command_arm(self, points: Sequence[TrajectoryPoint]) -> None:
        """Follow checked points; none stops the arm where its desired state is."""
        with self._lock:
            self.world.command_arm(points)

    def command_gripper(self, travel: float) -> None:
        """Move each finger to `travel` [m]."""
        with self._lock:
            self.world.command_gripper(travel)

    def place_arm(self, joints: Array) -> None:
        """Put the arm at `joints` (n,) [rad] at rest, the fingers open: before the first command alone."""
        with self._lock:
            self.world.reset_robot(joints.tolist())

    def set_action_delay(self, seconds: float) -> None:
        """Commands given from now on take effect that much later."""
        with self._lock:
            self._varier.base_delay = seconds
            self.world.action_delay = seconds

    def stops(self, names: tuple[str, ...]) -> Joints:
        """The named joints with their mechanical stops."""
        limits = np.array([self.world.model.joint(name).range for name in names])
        return Joints(names, limits[:, 0], limits[:, 1])

    def disturb(self, kind: str, name: str, seed: int) -> str:
        """Disturb the table as `vla_sim.task.disturbance.disturb` does. Raises DisturbanceError."""
        with self._lock:
            return disturb(self.world, kind, name, abs(seed))

    # Readings

    def joints(self) -> JointReading:
        """The joints now."""
        with self._lock:
            return JointReading(self._stamp_ns, *self.world.joint_state())

    def scene(self) -> SceneReading:
        """The scene now."""
        with self._lock:
            world = self.world
            return SceneReading(self._stamp_ns, world.objects(), world.tcp_pose(), world.gripper_width)

    def task(self) -> TaskReading | None:
        """How the task stands; None before one is set."""
        with self._lock:
            if self._test is None:
                return None
            elapsed = self.world.time - self._task_since
            return TaskReading(self._text, self._test.task.family, self._success, elapsed)

    def look(self, camera: Camera, name: str) -> int:
        """Let a camera take in the scene; returns the stamp [ns] of what it saw. Drawing needs no lock any more."""
        with self._lock:
            camera.effect = None if name == VIEWER_CAMERA else self._develop
            camera.look(name)
            return self._stamp_ns

    # Tasks

    def set_task(
        self, instruction: str, family: str = "", seed: int = 0, keep_objects: bool = False
    ) -> tuple[str, Task]:
        """Lay the table for a task and judge it from now on; the robot is not moved. Returns its text and the task.

        Raises TaskError, and then everything stays as it was. Without an instruction one is drawn from family and seed.
        """
        text = _checked_text(instruction)
        if seed < 0:
            raise TaskError(f"seed is {seed}; valid: 0 or more")
        if family and family not in FAMILIES:
            raise TaskError(f"unknown family {family!r}; valid: {', '.join(FAMILIES)}")
        rng = np.random.default_rng(seed)
        task = parse_task(text) if text else None
        if keep_objects:
            with self._lock:
                test = self._test_here(task, family, rng)
                return self._begin(test, text)
        task = task or sample_task(rng, family or None)
        layout = self._layout(task, rng)
        with self._lock:
            self._vary(seed)
            layout.apply(self.world)
            return self._begin(SuccessTest(self.world, task), text)

    def _begin(self, test: SuccessTest, text: str) -> tuple[str, Task]:
        self._test, self._text = test, text or test.task.text()
        self._success, self._task_since = False, self.world.time
        return self._text, test.task

    def _layout(self, task: Task, rng: np.random.Generator) -> Layout:
        """A layout that leaves room for the hand."""
        with self._lock:
            tcp = self.world.tcp_pose()
        try:
            return sample_layout(self.world.robot, task, rng, keep_clear=tcp[:3])
        except RuntimeError as error:
            where = f"beside the hand at x {tcp[0]:.2f}, y {tcp[1]:.2f} m"
            raise TaskError(f"no room for {task.text()!r} {where}: {error}") from error

    def _test_here(self, task: Task | None, family: str, rng: np.random.Generator) -> SuccessTest:
        """A test on the objects as they lie; a drawn task is one that is possible with them and not yet done."""
        if task is not None:
            return SuccessTest(self.world, task)
        for _ in range(_DRAWS):
            try:
                test = SuccessTest(self.world, sample_task(rng, family or None))
            except TaskError:  # it names an object that is not here
                continue
            if not test.holds_now():
                return test
        raise TaskError(f"no {family or 'task'} is left to do with the objects on the table")


def _checked_text(instruction: str) -> str:
    """Whitespace collapsed; TaskError for texts too long to be an instruction."""
    text = " ".join(instruction.split())
    if len(text) > MAX_TEXT:
        raise TaskError(f"the instruction has {len(text)} characters; valid: up to {MAX_TEXT}")
    return text
