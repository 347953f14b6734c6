# SPDX-License-Identifier: Apache-2.0
"""What the trainer draws: an image with several prompts and their answers, as token ids.

One image serves several samples, since the expert and the simulator can label it for every task and many questions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from vla_policy.rt2.prompt import PromptTemplate
from vla_policy.rt2.vocabulary import ActionVocabulary
from vla_sim.task.task import Task
from vla_sim.world.scene import BLOCKS, BOWL

from vla_training.data.frames import ALL_TASKS, FrameTable
from vla_training.data.language import training_sentences
from vla_training.rt1.training_data import TaskDraw
from vla_training.rt2.samples.labels import ActionLabels
from vla_training.rt2.samples.scene_text import Scene, draw_exchange

WORDS = (*(name.split()[0] for name in BLOCKS), BOWL)  # each names one thing on the table
PLAN_SHARE = 0.06  # of a robot's samples, for plans and again for actions that follow one
OWN_SHARE = 0.5  # share of a picture's further instructions that name its episode's own task and are dropped
POINTS = 2  # places in the picture that a sample may be grounded in: object and target
_STATE_NOISE = (0.002, 0.002, 0.002, 0.0005)  # [m]


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """A prompt and its answer. bins: an action's bin tokens (d,), None for text.

    points: (2, 3) places in the base frame [m] that the answer hangs on, NaN for none.
    """

    prompt: str
    answer: tuple[int, ...]  # token ids, the end of text among them
    bins: NDArray[np.int64] | None
    points: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """An image (H, W, 3) uint8 and its samples.

    places: (len(WORDS), 3) where what each of WORDS names is, base frame [m], NaN for what is not there; None: unknown.
    origin: (3,) the tool centre point [m]; None: unknown.
    """

    image: NDArray[np.uint8]
    samples: tuple[Sample, ...]
    places: NDArray[np.float64] | None = None
    origin: NDArray[np.float64] | None = None


class Source(Protocol):
    """Something to draw groups from."""

    def draw(self, count: int, rng: np.random.Generator) -> Group:
        """An image with at most `count` samples, and at least one."""


class TextEncoder:
    """Answers as token ids: no special tokens in front, the end of text behind."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self.end = int(tokenizer.eos_token_id)

    def __call__(self, text: str) -> tuple[int, ...]:
        """Ids of an answer."""
        return (*self._tokenizer(text, add_special_tokens=False)["input_ids"], self.end)


class RobotSource:
    """Demonstrations: what the expert does on a frame for several of the tasks that its table allows."""

    def __init__(
        self,
        table: FrameTable,
        rows: NDArray[np.int64],
        prompt: PromptTemplate,
        labels: ActionLabels,
        vocabulary: ActionVocabulary,
        encode: Callable[[str], tuple[int, ...]],
    ) -> None:
        """`rows`: frames of the table to draw from; `encode`: a text as an answer."""
        self._table, self._rows, self._prompt = table, rows, prompt
        self._labels, self._vocabulary, self._encode, self._end = labels, vocabulary, encode, encode("")
        self._draw = TaskDraw(table)
        self._wordings = [training_sentences(task) for task in ALL_TASKS]

    def draw(self, count: int, rng: np.random.Generator) -> Group:
        """A frame with its episode's own task and others, families alike: at most `count` instructions, no task twice.

        The last centimetres of a grasp are only seen in the own task, so it is half of what is learnt.
        """
        row = int(rng.choice(self._rows))
        others = self._draw.mixed(np.full(count - 1, row), OWN_SHARE, rng)
        tasks = np.unique(np.append(others, self._table.own_task[row]))
        state = self._table.proprio[row] + rng.normal(0.0, _STATE_NOISE)
        wordings = [str(rng.choice(self._wordings[task])) for task in tasks]
        pairs = list(zip(tasks.tolist(), wordings, strict=True))
        samples = [self._one(row, task, wording, state, float(rng.random())) for task, wording in pairs]
        return Group(self._table.images[row], tuple(samples), *where_of(self._table, row))

    def _one(self, row: int, task: int, wording: str, state: NDArray[np.floating], lot: float) -> Sample:
        """An action; by `lot` (0 to 1), where the prompt knows plans, a plan or an action that follows one."""
        plan = ALL_TASKS[task].text()
        if not self._prompt.plans or lot > 2 * PLAN_SHARE:
            return self.sample(row, task, wording, state)
        if lot > PLAN_SHARE:
            return self.sample(row, task, wording, state, plan)
        prompt = self._prompt.plan_prompt(wording, state)
        return Sample(prompt, self._encode(plan), None, self._points(row, task))

    def sample(
        self, row: int, task: int, wording: str, state: NDArray[np.floating] | None = None, plan: str = ""
    ) -> Sample:
        """The action on one frame for one instruction; state (4,) of PROPRIO, the frame's own by default."""
        bins = self._labels.bins(self._table.tokens[row, task])
        state = self._table.proprio[row] if state is None else state
        prompt = self._prompt.action_prompt(wording, state, plan)
        ids = (int(i) for i in self._vocabulary.encode(bins))
        return Sample(prompt, (*ids, *self._end), bins, self._points(row, task))

    def _points(self, row: int, task: int) -> NDArray[np.float64]:
        return np.asarray(self._table.goals[row, task].reshape(POINTS, 3), dtype=np.float64)


class SceneSource:
    """Questions and captions about the frames of a table, with true answers."""

    def __init__(
        self,
        table: FrameTable,
        rows: NDArray[np.int64],
        prompt: PromptTemplate,
        encode: Callable[[str], tuple[int, ...]],
    ) -> None:
        self._table, self._rows, self._prompt, self._encode = table, rows, prompt, encode

    def draw(self, count: int, rng: np.random.Generator) -> Group:
        """A frame with `count` questions."""
        row = int(rng.choice(self._rows))
        scene = scene_of(self._table, row)
        samples: dict[str, Sample] = {}
        for _ in range(4 * count):
            exchange = draw_exchange(scene, rng)
            if exchange is not None:
                point = np.full((POINTS, 3), np.nan)
                if exchange.about is not None:
                    point[0] = exchange.about
                prompt = self._prompt.question_prompt(exchange.question)
                samples.setdefault(prompt, Sample(prompt, self._encode(exchange.answer), None, point))
            if len(samples) == count:
                break
        return Group(self._table.images[row], tuple(samples.values()), *where_of(self._table, row))


_PICK = [ALL_TASKS.index(Task("pick", block)) for block in BLOCKS]
_PLACE = ALL_TASKS.index(Task("place", BLOCKS[0], BOWL))


def scene_of(table: FrameTable, row: int) -> Scene:
    """The truth of one frame."""
    goals = table.goals[row].astype(np.float64)
    return Scene(goals[_PICK, :3], goals[_PLACE, 3:], table.proprio[row, :3].astype(np.float64))


def where_of(table: FrameTable, row: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What one frame's things and hand are at: (len(WORDS), 3) and (3,)."""
    scene = scene_of(table, row)
    places = np.vstack([scene.blocks, scene.bowl])
    places[places[:, 2] < -0.05] = np.nan
    return places, scene.tcp


class Mixture:
    """Robot data with probability `share`, image-text data of several sources otherwise, by pictures."""

    def __init__(self, robot: Source, texts: Sequence[tuple[Source, float]], share: float) -> None:
        """texts: each with its weight; share: of the robot, 1 where there are none."""
        if not 0.0 < share <= 1.0:
            raise ValueError(f"the robot's share is {share}; valid is above 0 and at most 1")
        self._robot, self._texts = robot, [source for source, _ in texts]
        weights = np.array([weight for _, weight in texts])
        self._weights = weights / weights.sum() if len(weights) else weights
        self._share = share if self._texts else 1.0

    def draw(self, count: int, rng: np.random.Generator) -> Group:
        """A group of one of the sources."""
        if rng.random() < self._share:
            return self._robot.draw(count, rng)
        return self._texts[int(rng.choice(len(self._texts), p=self._weights))].draw(count, rng)
