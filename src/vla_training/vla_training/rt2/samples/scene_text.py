# SPDX-License-Identifier: Apache-2.0
"""Captions and questions about a table, with true answers from the simulator: the default image-text data.

left, right: the robot's own (left is +y). Questions whose answer hangs on less than `MARGIN` are not asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from vla_sim.world.scene import BLOCKS, BOWL, BOWL_RADIUS

Array = NDArray[np.float64]

MIDDLE = 0.07  # [m] half width of what is called the middle
MARGIN = 0.015  # [m]
LIFTED = 0.05  # [m] height of a block's centre above which it is held
HELD = 0.04  # [m] from the tool centre point
NUMBERS = ("no", "one", "two", "three", "four", "five")


@dataclass(frozen=True, slots=True)
class Scene:
    """One frame's truth in the base frame [m]: blocks (5, 3) in the order of BLOCKS, below z = 0 when not there."""

    blocks: Array
    bowl: Array  # (3,)
    tcp: Array  # (3,)

    def there(self) -> dict[str, Array]:
        """Positions of the blocks on the table, by name."""
        return {name: p for name, p in zip(BLOCKS, self.blocks, strict=True) if p[2] > -0.05}

    @property
    def has_bowl(self) -> bool:
        """Whether the bowl is on the table."""
        return bool(self.bowl[2] > -0.05)

    def held(self) -> str:
        """The block in the hand; empty for none."""
        for name, position in self.there().items():
            if position[2] > LIFTED and np.linalg.norm(position - self.tcp) < HELD:
                return name
        return ""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question and its true answer. `about`: the place [m] that the answer is read from, if there is one."""

    kind: str
    question: str
    answer: str
    about: tuple[float, float, float] | None = None


def side_of(y: float) -> str:
    """left, middle or right; empty where a hair would decide."""
    if abs(abs(y) - MIDDLE) < MARGIN:
        return ""
    return "middle" if abs(y) < MIDDLE else ("left" if y > 0 else "right")


def _where(scene: Scene, rng: np.random.Generator) -> Exchange | None:
    things = dict(scene.there()) | ({BOWL: scene.bowl} if scene.has_bowl else {})
    name = str(rng.choice(list(things)))
    side = side_of(float(things[name][1]))
    if not side or name == scene.held():
        return None
    asked = str(rng.choice([f"where is the {name}?", f"on which side is the {name}?", f"find the {name}"]))
    answer = "in the middle" if side == "middle" else f"on the {side}"
    return Exchange("where", asked, answer, _point(things[name]))


def _exists(scene: Scene, rng: np.random.Generator) -> Exchange:
    there = scene.there()
    name = str(rng.choice(list(there) if rng.random() < 0.5 else list(BLOCKS)))
    asked = str(rng.choice([f"is there a {name}?", f"do you see a {name}?", f"is a {name} on the table?"]))
    return Exchange("exists", asked, "yes" if name in there else "no", _point(there[name]) if name in there else None)


def _count(scene: Scene, rng: np.random.Generator) -> Exchange:
    asked = str(rng.choice(["how many blocks are there?", "how many blocks do you see?", "count the blocks"]))
    return Exchange("count", asked, NUMBERS[len(scene.there())])


def _held(scene: Scene, rng: np.random.Generator) -> Exchange | None:
    if not scene.held() and max(p[2] for p in scene.there().values()) > 0.03:
        return None  # neither on the table nor clearly in the hand
    asked = str(rng.choice(["what is in the gripper?", "what are you holding?", "what does the robot hold?"]))
    return Exchange("held", asked, f"the {scene.held()}" if scene.held() else "nothing", _point(scene.tcp))


def _in_bowl(scene: Scene, rng: np.random.Generator) -> Exchange | None:
    if not scene.has_bowl:
        return None
    inside = [n for n, p in scene.there().items() if np.linalg.norm((p - scene.bowl)[:2]) < BOWL_RADIUS]
    if len(inside) > 1 or scene.held():
        return None
    asked = str(rng.choice(["what is in the bowl?", "is the bowl empty?"]))
    if asked.startswith("is"):
        return Exchange("bowl", asked, "no" if inside else "yes", _point(scene.bowl))
    return Exchange("bowl", asked, f"the {inside[0]}" if inside else "nothing", _point(scene.bowl))


def _compare(scene: Scene, rng: np.random.Generator) -> Exchange | None:
    there = scene.there()
    if len(there) < 2:
        return None
    first, second = (str(name) for name in rng.choice(list(there), 2, replace=False))
    gap = float(there[first][1] - there[second][1])
    if abs(gap) < 2 * MARGIN:
        return None
    side = str(rng.choice(["left", "right"]))
    asked = f"is the {first} to the {side} of the {second}?"
    return Exchange("compare", asked, "yes" if (gap > 0) == (side == "left") else "no", _point(there[first]))


def _colours(scene: Scene, rng: np.random.Generator) -> Exchange:
    """Names in the order of BLOCKS."""
    names = [name.split()[0] for name in scene.there()]
    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    asked = str(rng.choice(["which colors are the blocks?", "name the blocks", "what is on the table?"]))
    return Exchange("colours", asked, listed)


def _caption(scene: Scene, rng: np.random.Generator) -> Exchange | None:
    """Every block with its side, from left to right."""
    if scene.held():
        return None
    blocks = sorted(scene.there().items(), key=lambda item: -item[1][1])
    sides = [side_of(float(position[1])) for _, position in blocks]
    ys = [float(position[1]) for _, position in blocks]
    if not all(sides) or (len(ys) > 1 and min(-np.diff(ys)) < MARGIN):
        return None
    parts = [
        f"a {name} {'in the middle' if side == 'middle' else f'on the {side}'}"
        for (name, _), side in zip(blocks, sides, strict=True)
    ]
    return Exchange("caption", str(rng.choice(["describe the scene", "describe the table"])), ", ".join(parts))


KINDS: Mapping[str, Callable[[Scene, np.random.Generator], Exchange | None]] = {
    "where": _where,
    "exists": _exists,
    "count": _count,
    "held": _held,
    "bowl": _in_bowl,
    "compare": _compare,
    "colours": _colours,
    "caption": _caption,
}


def draw_exchange(scene: Scene, rng: np.random.Generator, kind: str = "") -> Exchange | None:
    """A question of that kind (a random one by default) about the scene; None where none can be asked fairly."""
    for _ in range(1 if kind else 10):
        exchange = KINDS[kind or str(rng.choice(list(KINDS)))](scene, rng)
        if exchange is not None:
            return exchange
    return None


def all_words() -> tuple[str, ...]:
    """Every text that these questions and answers are made of, for a vocabulary."""
    rng = np.random.default_rng(0)
    positions = np.column_stack([np.full(5, 0.5), np.linspace(-0.2, 0.2, 5), np.full(5, 0.02)])
    scene = Scene(positions, np.array([0.4, 0.0, 0.0]), np.array([0.4, 0.0, 0.3]))
    drawn = [draw_exchange(scene, rng, kind) for kind in KINDS for _ in range(200)]
    texts = {f"{e.question} {e.answer}" for e in drawn if e is not None}
    return (*sorted(texts), *NUMBERS, *BLOCKS, BOWL, "nothing yes no left right middle")


def _point(position: Array) -> tuple[float, float, float]:
    x, y, z = (float(v) for v in position)
    return x, y, z
