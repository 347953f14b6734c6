# SPDX-License-Identifier: Apache-2.0
"""Several data sets of recorded actions as one table: tokens, states, tasks, and how often each frame is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from vla_core.observation_map.observation_map import Action, ObservationMap, StateVector
from vla_core.observation_map.part import Part, PartKind
from vla_policy.action.space import ActionSpace
from vla_policy.action.tokenizer import ActionTokenizer
from vla_policy.rt1.proprio import COLUMN

from vla_training.data.bags.dataset import column_names
from vla_training.data.lerobot.schema import STATE
from vla_training.data.recorded.binding import Binding
from vla_training.data.recorded.frames import SetFrames
from vla_training.data.recorded.ranges import quantiles, space_of, switches
from vla_training.run.errors import TrainingError

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class RecordedTable:
    """N frames of all sets. Sets with fewer columns than others are filled up; `used` says which columns are theirs."""

    robot: str  # of the first set, whose ranges and units the checkpoint has
    space: ActionSpace
    observation_map: ObservationMap | None
    channels: tuple[str, ...]  # names of the state's columns, p of them
    texts: tuple[str, ...]  # distinct tasks
    state: NDArray[np.float32]  # (N, p) in the first robot's scale
    tokens: NDArray[np.int64]  # (N, d)
    used: NDArray[np.bool_]  # (N, d)
    hard: NDArray[np.bool_]  # (d,) columns that switch, whose neighbouring bins mean nothing
    text: NDArray[np.int64]  # (N,) index of texts
    episode: NDArray[np.int64]  # (N,) numbered through all sets
    first: NDArray[np.bool_]  # (N,) first frame of its episode
    turning: NDArray[np.int64]  # (N,) the row of its episode at which a column next switches, or the last one
    share: NDArray[np.float64]  # (N,) how often a frame is drawn; sums to 1
    period_s: float
    ranges: Mapping[str, Any]  # by robot: low and high of each column, for the record

    def __len__(self) -> int:
        return len(self.episode)


def build_table(
    bindings: Sequence[Binding],
    sets: Sequence[SetFrames],
    weights: Sequence[float | None],
    before: ActionSpace | None = None,
) -> RecordedTable:
    """Join sets; `before`: the space of a run that continues, which keeps its ranges.

    Raises TrainingError for sets whose actions are of other kinds.
    """
    _check_alike(bindings)
    width, state_width = max(b.action_width for b in bindings), max(b.state_width for b in bindings)
    actions, states = _filled([s.action for s in sets], width), _filled([s.state for s in sets], state_width)
    share, robots = shares([len(s) for s in sets], weights), [b.robot for b in bindings]
    hard = switches(np.concatenate(actions))
    first, spaces = _padded_map(bindings[0], width, state_width), {}
    names = _names(bindings[0], first, width)
    for robot in dict.fromkeys(robots):
        mine = [i for i, name in enumerate(robots) if name == robot]
        together = np.concatenate([actions[i] for i in mine]), np.concatenate([share[i] for i in mine])
        spaces[robot] = space_of(names, *quantiles(*together), first)
    if before is not None and before.names == spaces[robots[0]].names:
        spaces[robots[0]] = before
    tokens = [ActionTokenizer(spaces[b.robot]).encode(a).tokens for b, a in zip(bindings, actions, strict=True)]
    texts = tuple(dict.fromkeys(text for s in sets for text in s.texts))
    number = {text: i for i, text in enumerate(texts)}
    episode, begins = _episodes(sets)
    return RecordedTable(
        robot=robots[0],
        space=spaces[robots[0]],
        observation_map=first,
        channels=tuple(f"{COLUMN}{name}" for name in _channels(bindings[0], state_width)),
        texts=texts,
        state=np.concatenate(_rescaled(states, share, robots)).astype(np.float32),
        tokens=np.concatenate(tokens).astype(np.int64),
        used=np.concatenate([_used(b, len(s), width) for b, s in zip(bindings, sets, strict=True)]),
        hard=hard,
        text=np.array([number[text] for s in sets for text in s.texts], dtype=np.int64),
        episode=episode,
        first=begins,
        turning=turning_rows(np.concatenate(tokens), hard, begins),
        share=np.concatenate(share),
        period_s=1.0 / bindings[0].rate,
        ranges={name: [[d.low, d.high] for d in space.dimensions] for name, space in spaces.items()},
    )


def shares(counts: Sequence[int], weights: Sequence[float | None]) -> list[FloatArray]:
    """Return how often each frame is drawn, for each set (n,); without weights all frames alike. All sum to 1."""
    relative = np.array([count if weight is None else weight for count, weight in zip(counts, weights, strict=True)])
    return [np.full(n, w / n) for n, w in zip(counts, (relative / relative.sum()).tolist(), strict=True)]


def turning_rows(tokens: NDArray[np.integer], hard: NDArray[np.bool_], first: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return for each row (n,) the one at which a column that switches next has another value; else its episode's last.

    Where a gripper closes or opens is what the task was about: the block, the place where it goes.
    """
    changed = np.zeros(len(first), dtype=bool)
    changed[:-1] = (tokens[1:, hard] != tokens[:-1, hard]).any(axis=1) | first[1:]
    changed[-1] = True
    events = np.flatnonzero(changed)
    return np.asarray(events[np.searchsorted(events, np.arange(len(first)))])


def _check_alike(bindings: Sequence[Binding]) -> None:
    first = bindings[0]
    for other in bindings[1:]:
        if _form(other.observation_map) != _form(first.observation_map):
            raise TrainingError(
                f"{other.listing.folder} has actions of {_form(other.observation_map)}, {first.listing.folder} of "
                f"{_form(first.observation_map)}; valid are sets of one kind: the same mode, frame, rotation form and "
                "gripper sense"
            )
        if abs(other.rate / first.rate - 1.0) > 1e-3:
            raise TrainingError(
                f"{other.listing.folder} is taken at {other.rate:g} Hz, {first.listing.folder} at {first.rate:g} Hz; "
                "--policy-rate says one for all"
            )


def _form(observation_map: ObservationMap | None) -> str:
    """What the columns of an action are, without how many joints there are."""
    action = observation_map.action if observation_map is not None else None
    if action is None:
        return "plain numbers"
    parts = [_part_form(part) for part in action.parts]
    return f"{action.mode.name.lower()} ({action.frame.value}, {action.relative_to.value}): {', '.join(parts)}"


def _part_form(part: Part) -> str:
    words = {PartKind.JOINTS: part.unit.value, PartKind.ROTATION: part.form.value, PartKind.GRIPPER: part.sense.value}
    return f"{part.part.value} {words.get(part.part, '')}".strip()


def _filled(arrays: Sequence[FloatArray], width: int) -> list[FloatArray]:
    return [np.pad(array, ((0, 0), (0, width - array.shape[1]))) for array in arrays]


def _padded_map(binding: Binding, actions: int, state: int) -> ObservationMap | None:
    """The first set's map, with columns that are not read where other sets have more."""
    found = binding.observation_map
    if found is None or found.action is None:
        return None
    more, idle = actions - binding.action_width, state - binding.state_width
    if more:
        action: Action = replace(found.action, parts=(*found.action.parts, Part(PartKind.IGNORED, size=more)))
        found = replace(found, action=action)
    if idle:
        padding = (Part(PartKind.CONSTANTS, values=(0.0,) * idle),)
        if found.state:
            last = replace(found.state[-1], parts=(*found.state[-1].parts, *padding), names=())
            found = replace(found, state=(*found.state[:-1], last))
        else:
            found = replace(found, state=(StateVector(STATE, padding),))
    return found


def _names(binding: Binding, observation_map: ObservationMap | None, width: int) -> tuple[str, ...]:
    if observation_map is not None and observation_map.action is not None:
        return column_names(observation_map.action.parts)
    own = binding.listing.names(binding.action)
    return (*own, *(f"unused_{i}" for i in range(len(own), width)))


def _channels(binding: Binding, width: int) -> tuple[str, ...]:
    own = binding.state_names
    names = (*own, *(f"unused_{i}" for i in range(len(own), width)))
    return tuple(name if names.index(name) == i else f"{name}_{i}" for i, name in enumerate(names))


def _used(binding: Binding, count: int, width: int) -> NDArray[np.bool_]:
    return np.tile(np.arange(width) < binding.action_width, (count, 1))


def _episodes(sets: Sequence[SetFrames]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Numbers through all sets, and which frames are the first ones."""
    keys = np.concatenate([np.column_stack([np.full(len(s), i), s.episode]) for i, s in enumerate(sets)])
    first = np.ones(len(keys), dtype=bool)
    first[1:] = (keys[1:] != keys[:-1]).any(axis=1)
    return np.cumsum(first) - 1, first


def _rescaled(states: Sequence[FloatArray], share: Sequence[FloatArray], robots: Sequence[str]) -> list[FloatArray]:
    """States of other robots with the first robot's mean and deviation: the network normalises by those alone."""
    moments = {}
    for robot in dict.fromkeys(robots):
        mine = [i for i, name in enumerate(robots) if name == robot]
        values, weights = np.concatenate([states[i] for i in mine]), np.concatenate([share[i] for i in mine])
        mean = np.average(values, axis=0, weights=weights)
        moments[robot] = mean, np.sqrt(np.average((values - mean) ** 2, axis=0, weights=weights))
    mean, std = moments[robots[0]]
    scaled = []
    for values, robot in zip(states, robots, strict=True):
        own_mean, own_std = moments[robot]
        gain = np.where(own_std > 0.0, std / np.where(own_std > 0.0, own_std, 1.0), 1.0)
        scaled.append(values if robot == robots[0] else (values - own_mean) * gain + mean)
    return scaled
