# SPDX-License-Identifier: Apache-2.0
"""Demonstrations by the scripted expert, and DAgger rounds: episodes in parallel processes.

Behaviour cloning from clean demonstrations learns to copy the hand's position. So the hand starts anywhere, some
actions are perturbed, and some episodes begin with another task: the expert labels every frame afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from vla_core.action import ActionChunk, ActionStep
from vla_policy.policy import Policy
from vla_sim.expert.policy import ExpertPolicy
from vla_sim.task.task import FAMILIES, SIDES, SuccessTest, Task
from vla_sim.variation.variation import Variation
from vla_sim.world.dressing import Dressing
from vla_sim.world.extras import add_things
from vla_sim.world.layout import Layout, sample_layout, sample_task
from vla_sim.world.things import THINGS, TRAINED_THINGS
from vla_sim.world.world import World

from vla_training.data.projection import projection_of
from vla_training.data.record import EpisodeRecord, Recorder
from vla_training.evaluate.lockstep import Lockstep, LockstepSettings
from vla_training.evaluate.place import Place
from vla_training.run.parallel import run_in_order

Array = NDArray[np.float64]
_TABLE = 3  # the stream of what varies, beside that of the episode
_TRIES = 200
_HAND = 0.09  # [m] from the hand's axis that its open fingers take


@dataclass(frozen=True, slots=True)
class CollectSettings:
    """How demonstrations are made."""

    robot: str = "fr3"
    image_size: tuple[int, int] = (128, 160)  # (height, width) [px]
    families: tuple[str, ...] = FAMILIES
    max_steps: int = 70
    perturbed: float = 0.3  # share of actions with noise
    noise: float = 0.02  # [m]
    gripper_flips: float = 0.03
    detours: float = 0.2  # share of episodes that begin with another task
    wide_starts: float = 0.8  # share of episodes that begin away from home
    variation: Variation = field(default_factory=Variation)  # of the tables; empty: plain ones
    things: int = 0  # of world.things, at most, beside what a plain table has

    @property
    def tables(self) -> dict[str, Any]:
        """How tables differ, for the data set to say; empty for plain ones."""
        axes = {axis: {name: list(pair) for name, pair in each.items()} for axis, each in self.variation.axes.items()}
        return {"axes": axes, "things": self.things} if axes or self.things else {}


class Collector:
    """Makes episodes one after the other in one process; episode `seed` is always the same."""

    def __init__(self, settings: CollectSettings, place: Place | None = None) -> None:
        """`place`: another than the plain table with the front camera's pictures."""
        self.settings = settings
        self._place = place or Place(settings.robot, settings.image_size, LockstepSettings())
        self._expert = ExpertPolicy(settings.robot, self._lockstep.settings.policy_period)

    @property
    def _world(self) -> World:
        return self._place.world

    @property
    def _lockstep(self) -> Lockstep:
        return self._place.lockstep

    def episode(
        self,
        seed: int,
        learner: Policy | None = None,
        learner_share: float = 1.0,
        text: Callable[[Task, np.random.Generator], str] | None = None,
    ) -> EpisodeRecord:
        """One episode. With a `learner` it acts (at random steps the expert instead): a DAgger episode."""
        rng = np.random.default_rng([seed, 2])
        home = self._dress(seed)
        task = sample_task(rng, str(rng.choice(self.settings.families)))
        self._lay_out(task, rng, home)
        test = SuccessTest(self._world, task)
        words = text(task, rng) if text else task.text()
        actors = self._actors(task, words, rng, learner, learner_share)
        varied = self.settings.variation or self.settings.things
        camera = projection_of(self._world, self.settings.image_size) if varied else None
        recorder = Recorder(self.settings.robot, task, words, camera)
        success, ended = False, 0
        for _ in range(self.settings.max_steps):
            ended = self._step(next(actors), recorder, rng, ended, clean=learner is not None)
            success = test.update() or success
            if ended > (2 if success or learner is None else 10):  # a learner that stops too early is shown what to do
                break
        return recorder.finish(success)

    def _dress(self, seed: int) -> Array:
        """Make the table that the seed draws, the plain one where nothing varies; return where its arm starts [rad]."""
        rng = np.random.default_rng([seed, _TABLE])
        drawn = self.settings.variation.draw([seed, _TABLE])
        count = int(rng.integers(self.settings.things + 1))
        things = tuple(str(name) for name in rng.choice(TRAINED_THINGS, count, replace=False))
        self._place.dress(Dressing(things=things), drawn, seed)
        return np.array(self._place.home(drawn))

    def _layout(self, task: Task, rng: np.random.Generator, keep_clear: Array | None = None) -> Layout:
        """Draw a layout with the things of this table, none of them where the hand is."""
        robot, things = self._world.robot, self._world.dressing.things
        for _ in range(_TRIES):
            layout = add_things(robot, sample_layout(robot, task, rng, keep_clear), things, rng)
            if layout is not None and (keep_clear is None or _clear(layout, things, keep_clear)):
                return layout
        raise RuntimeError(f"no room for {', '.join(things)} beside {task} in {_TRIES} tries")

    def _lay_out(self, task: Task, rng: np.random.Generator, home: Array) -> None:
        self._lockstep.forget()
        if rng.random() > self.settings.wide_starts:
            self._layout(task, rng).apply(self._world)
            self._lockstep.start(home)
            return
        start = self._random_start(rng)
        layout = self._layout(task, rng, keep_clear=start[:2])
        if rng.random() < 0.3 and layout.task.object in layout.objects:  # near the block: the last centimetres count
            x, y, _ = layout.objects[task.object]
            start = np.array([x, y, rng.uniform(0.06, 0.16)]) + rng.normal(0.0, [0.02, 0.02, 0.0])
        layout.apply(self._world)
        kinematics = self._lockstep.controller.kinematics
        pose = kinematics.fk(home)
        joints, _, _ = kinematics.ik(home, type(pose)(start, pose.quaternion))
        for _ in range(20):
            joints, _, _ = kinematics.ik(joints, type(pose)(start, pose.quaternion))
        self._lockstep.start(joints, opening=1.0 if rng.random() < 0.7 else float(rng.random()))

    def _random_start(self, rng: np.random.Generator) -> Array:
        robot = self._world.robot
        x = robot.table_center_x + rng.uniform(-1, 1) * (robot.reach_x + 0.03)
        y = rng.uniform(-1, 1) * (robot.reach_y + 0.03)
        return np.array([x, y, rng.uniform(0.03, 0.30)])

    def _actors(
        self, task: Task, words: str, rng: np.random.Generator, learner: Policy | None, share: float
    ) -> Iterator[Policy]:
        """Who acts at each step."""
        if learner is not None:
            learner.reset(words)
            self._expert.reset(task.text())
            while True:
                yield learner if rng.random() < share else self._expert
        if rng.random() < self.settings.detours:
            self._expert.reset(self._other_task(task, rng).text())
            for _ in range(int(rng.integers(4, 26))):
                yield self._expert
        self._expert.reset(task.text())
        while True:
            yield self._expert

    def _other_task(self, task: Task, rng: np.random.Generator) -> Task:
        there = self._world.objects()
        while True:
            other = sample_task(rng)
            if other != task and other.object in there and (other.target in there or other.target in ("", *SIDES)):
                return other

    def _step(self, actor: Policy, recorder: Recorder, rng: np.random.Generator, ended: int, clean: bool) -> int:
        scene = self._world.objects()
        observation = self._lockstep.observe(scene=True)
        chunk = actor.infer(observation)
        if not clean:
            chunk = self._perturb(chunk, rng)
        step = chunk.steps[0]
        recorder.add(observation, scene, np.array([*step.translation, step.gripper, float(step.terminate)]))
        self._lockstep.apply(observation, chunk)
        return ended + 1 if chunk.terminate else 0

    def _perturb(self, chunk: ActionChunk, rng: np.random.Generator) -> ActionChunk:
        step = chunk.steps[0]
        translation, gripper = step.translation, step.gripper
        if rng.random() < self.settings.perturbed and not step.terminate:
            translation = translation + rng.normal(0.0, self.settings.noise, 3)
            translation[2] = max(translation[2], -0.05)
        if rng.random() < self.settings.gripper_flips:
            gripper = 1.0 - gripper
        changed = ActionStep(translation=translation, gripper=gripper, terminate=step.terminate)
        return ActionChunk(chunk.stamp, chunk.mode, chunk.delta_reference, chunk.period, (changed,))

    def close(self) -> None:
        """Free the renderer."""
        self._place.close()


def _clear(layout: Layout, things: Sequence[str], hand: Array) -> bool:
    spots = ((layout.objects[name], THINGS[name].radius) for name in things)
    return all(np.hypot(x - hand[0], y - hand[1]) > radius + _HAND for (x, y, _), radius in spots)


class Demonstrator:
    """Expert episodes, by number; a Worker."""

    def __init__(self, settings: CollectSettings) -> None:
        self._collector = Collector(settings)

    def run(self, item: int) -> EpisodeRecord:
        """The episode of seed `item`."""
        return self._collector.episode(item)

    def close(self) -> None:
        """Free the renderer."""
        self._collector.close()


def collect(settings: CollectSettings, seeds: Sequence[int], workers: int) -> Generator[EpisodeRecord, None, None]:
    """Expert episodes for each seed, in order, made by `workers` processes."""
    return run_in_order(partial(Demonstrator, settings), seeds, workers)
