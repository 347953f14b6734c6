# SPDX-License-Identifier: Apache-2.0
"""ActionChunk streams to try a controller on: tame and wild motion in every mode, and everything that can go wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from vla_core.action import ActionChunk, ActionMode, ActionStep
from vla_core.robot import RobotConfig
from vla_core.rotation import Pose, from_rotation_vector, multiply, normalise

from vla_controller.arm.collision import Clearance
from vla_controller.bench.false_states import FalseStates
from vla_controller.bench.rig import Bench, Violation, broken_limits
from vla_controller.path.planner import REST_TIME

Array = npt.NDArray[np.float64]
Generator = np.random.Generator

NAN = float("nan")
FALSE_STATES = ("false_states", "false_start")
_FALSE_SECONDS = 5.0  # [s] at least, for streams of false joint states: recovery takes two


@dataclass(frozen=True, slots=True)
class StreamResult:
    """What one stream did."""

    kind: str
    violations: tuple[Violation, ...]
    accepted: int
    refused: int
    rest_after: float  # [s] from the last due step accepted (or its arrival) to the first setpoint at rest; NaN: none
    clearance: float  # [m] least distance of the setpoints to a collision; infinity without a collision model


def run_stream(bench: Bench, rng: Generator, kind: str, seconds: float) -> StreamResult:
    """Play one stream of ``kind`` for ``seconds``, kill the policy and wait until the arm must be at rest."""
    if kind in FALSE_STATES:
        return run_false_states(bench, rng, kind, seconds)
    play = STREAMS[kind]
    source = Source(bench, rng)
    while bench.elapsed < seconds:
        play(source)
        bench.tick()
    last = source.last_due
    bench.tick(int(np.ceil((max(0.0, last - bench.elapsed) + REST_TIME) / bench.dt - 1e-6)) + 1)
    rest = bench.rest_after(last)
    return StreamResult(kind, bench.account(last), source.accepted, source.refused, rest, bench.least_clearance())


def run_false_states(bench: Bench, rng: Generator, kind: str, seconds: float, lie: str = "") -> StreamResult:
    """Play chunks of a sound policy while joint states lie in the way ``lie``, or one by chance."""
    at_start = kind == "false_start"
    if at_start:
        bench.controller.reset()
        bench.controller.set_instruction(bench.instruction_id)
        bench.setpoints.clear()
    source, sensor = Source(bench, rng), FalseStates(bench, rng, lie, at_start)
    play = [_steady, _zigzag, _mixed][int(rng.integers(0, 3))]
    while bench.elapsed < max(seconds, _FALSE_SECONDS):
        play(source)
        if sensor.honest and rng.random() < 0.01:
            if bench.controller.confirm_posture(bench.now) is None:
                sensor.confirmed = bench.elapsed
            bench.controller.set_instruction(bench.instruction_id)
        bench.sense()
        bench.tick_without_joint_state()
    limits = bench.controller.config.limits
    found = [*broken_limits(bench.setpoints, limits, bench.dt), *sensor.account()] if bench.setpoints else []
    return StreamResult(kind, tuple(found), source.accepted, source.refused, float("nan"), float("inf"))


def start_pose(config: RobotConfig, clearance: Clearance | None, rng: Generator) -> Array:
    """Joints (n,) [rad] somewhere around home, inside the limits and clear of collisions."""
    for _ in range(100):
        q = config.home + rng.uniform(-0.6, 0.6, len(config.joints))
        q = np.clip(q, config.limits.lower, config.limits.upper)
        if clearance is None or clearance.distances(q).min() > 0.01:
            return q
    return config.home


class Source:
    """Makes chunks at the pace of a policy that may be slow, fast, or broken."""

    def __init__(self, bench: Bench, rng: Generator) -> None:
        """A policy of random rate, chunk length, mode and boldness."""
        self.bench, self.rng = bench, rng
        self.period = float(rng.choice([0.05, 0.1, 0.2, 1.0 / 3.0]))
        self.pace = float(rng.choice([0.05, 0.1, 0.2, 0.4]))  # [s] between chunks
        self.length = int(rng.integers(1, 9))
        self.mode = ActionMode(int(rng.integers(0, 5)))
        self.reference = int(rng.integers(0, 2))
        self.size = float(rng.choice([0.1, 0.4, 1.0]))  # of the largest step that the gate lets pass
        self.drift = rng.normal(size=8)
        self.next_time = bench.now
        self.sent: list[ActionChunk] = []
        self.accepted = self.refused = 0
        self.last_due = 0.0  # [s] elapsed

    def due(self) -> bool:
        """Whether the policy's next chunk is to be made now."""
        if self.bench.now < self.next_time - 1e-9:
            return False
        self.next_time = self.bench.now + self.pace
        return True

    def steps(self, mode: int, drift: float) -> tuple[ActionStep, ...]:
        """Steps of a mode: random ones and, by ``drift`` 0 to 1, a steady direction."""
        rows = drift * self.drift + (1.0 - drift) * self.rng.normal(size=(self.length, 8))
        return tuple(self._step(mode, row / max(1.0, float(np.linalg.norm(row)))) for row in rows)

    def _step(self, mode: int, row: Array) -> ActionStep:
        gripper = float(self.rng.choice([NAN, 0.0, 1.0]))
        n = len(self.bench.q)
        if mode == ActionMode.EE_DELTA:
            return ActionStep(0.15 * self.size * row[:3], 1.0 * self.size * row[3:6], gripper=gripper)
        if mode == ActionMode.EE_POSE:
            away = Pose(0.14 * self.size * row[:3], from_rotation_vector(self.size * 0.9 * row[3:6]))
            now = self.bench.pose
            return ActionStep(pose=Pose(now.position + away.position, _turned(away, now)), gripper=gripper)
        reach = {ActionMode.JOINT_VELOCITY: 3.0, ActionMode.JOINT_POSITION: 0.5}.get(ActionMode(mode), 1.0)
        joints = self.size * reach * row[:n]
        return ActionStep(
            joints=self.bench.q + joints if mode == ActionMode.JOINT_POSITION else joints, gripper=gripper
        )

    def chunk(self, drift: float = 0.7, age: float = 0.1, mode: int | None = None) -> ActionChunk:
        """A chunk as this policy makes it, of an observation ``age`` [s] ago."""
        mode = self.mode if mode is None else mode
        return self.bench.chunk(
            *self.steps(mode, drift),
            mode=mode,
            stamp=self.bench.now - age,
            period=self.period,
            delta_reference=self.reference,
        )

    def send(self, chunk: ActionChunk) -> None:
        """Offer a chunk, and note when its last step is due if it is accepted."""
        controller, now = self.bench.controller, self.bench.now
        self.sent.append(chunk)
        if controller.accept(chunk, now) is None:
            self.accepted += 1
            settings = controller.settings
            latest = chunk.stamp + 1.5 * settings.latency_budget_most + (len(chunk.steps) - 1) * chunk.period
            latest += (len(chunk.steps) - 1) * (settings.latency_budget_most - settings.latency_budget)
            self.last_due = self.bench.elapsed + max(0.0, min(latest, controller.motion.last_due) - now)
        else:
            self.refused += 1


def _turned(away: Pose, now: Pose) -> Array:
    return normalise(multiply(away.quaternion, now.quaternion))


def _steady(source: Source) -> None:
    """A policy that works: a direction kept, some noise, inference of 50 to 250 ms."""
    if source.due():
        source.send(source.chunk(0.8, float(source.rng.uniform(0.05, 0.25))))


def _zigzag(source: Source) -> None:
    """The largest steps that the gate lets pass, turned round at every chunk."""
    if source.due():
        source.size, source.drift = 1.0, -source.drift
        source.send(source.chunk(1.0))


def _into_limits(source: Source) -> None:
    """One direction at full size until joint limits, the table or the arm itself are in the way."""
    if source.due():
        source.size, source.pace = 1.0, 0.1
        source.send(source.chunk(1.0))


def _mixed(source: Source) -> None:
    """Another mode, pace and period with every chunk."""
    if source.due():
        source.pace = float(source.rng.choice([0.05, 0.2, 0.4]))
        source.period = float(source.rng.choice([1e-3, 0.02, 0.2, 0.5]))
        source.reference = int(source.rng.integers(0, 2))
        source.send(source.chunk(0.3, float(source.rng.uniform(0.0, 0.9)), int(source.rng.integers(0, 5))))


def _disorder(source: Source) -> None:
    """Chunks late, from the past, from the future, doubled and out of order."""
    if not source.due():
        return
    chance = source.rng.random()
    if chance < 0.3 and source.sent:
        source.send(source.sent[int(source.rng.integers(0, len(source.sent)))])
    else:
        source.send(source.chunk(0.5, float(source.rng.choice([-0.5, -0.04, 0.0, 0.3, 0.6, 0.99, 1.5]))))


def _garbage(source: Source) -> None:
    """Between sane chunks: numbers that are none, wrong lengths, frames, joints, modes and sizes."""
    if not source.due():
        return
    chunk, rng = source.chunk(), source.rng
    wrong: list[dict[str, object]] = [
        {"steps": (ActionStep(np.full(3, rng.choice([np.nan, np.inf])), joints=np.full(len(source.bench.q), np.nan)),)},
        {"steps": (ActionStep(np.ones(3) * 1e6, joints=np.full(len(source.bench.q), 1e6)),)},
        {"steps": (ActionStep(np.zeros(2), joints=np.zeros(2)),)},
        {"steps": ()},
        {"frame_id": "camera", "joint_names": ("a",)},
        {"mode": int(rng.integers(5, 200))},
        {"period": float(rng.choice([0.0, -1.0, np.nan, np.inf]))},
        {"stamp": float(rng.choice([np.nan, np.inf, -np.inf, 0.0]))},
        {"observed_pose": Pose(np.zeros(3), np.zeros(4)), "observed_joints": np.full(1, np.nan)},
        {},
        {},
    ]
    source.send(_replaced(chunk, wrong[int(rng.integers(0, len(wrong)))]))


def _replaced(chunk: ActionChunk, changes: dict[str, object]) -> ActionChunk:
    values = {name: getattr(chunk, name) for name in chunk.__slots__}
    return ActionChunk(**{**values, **changes})


def _operator(source: Source) -> None:
    """Stop, new instruction, emergency stop and its reset at any moment."""
    _steady(source)
    bench, chance = source.bench, source.rng.random()
    if chance > 0.1:
        return
    controller = bench.controller
    if chance < 0.02:
        controller.estop()
    elif chance < 0.04:
        controller.set_instruction(bench.instruction_id, stop=True)
    else:
        controller.reset_estop()
        controller.set_instruction("between")
        controller.set_instruction(bench.instruction_id)


def _clock(source: Source) -> None:
    """A clock that jumps forwards and backwards, and joint states that stay away."""
    _steady(source)
    bench, chance = source.bench, source.rng.random()
    if chance < 0.02:
        jump = float(source.rng.choice([-3.0, -0.3, 0.3, 2.0, 30.0]))
        bench.now += jump
        source.next_time = bench.now
        source.last_due = max(bench.elapsed, source.last_due - jump if jump > 0.0 else 0.0)
    elif chance < 0.04:
        for _ in range(int(source.rng.integers(2, 14))):
            bench.tick_without_joint_state()


def _slow(source: Source) -> None:
    """A policy whose inference takes up to 1.3 s, one chunk after the other, and longer or shorter now and then."""
    if source.due():
        if source.pace < 0.3 or source.rng.random() < 0.2:
            source.pace = float(source.rng.choice([0.3, 0.45, 0.6, 1.0, 1.3]))
            source.period, source.next_time = 0.2, source.bench.now + source.pace
        source.send(source.chunk(0.8, source.pace + float(source.rng.uniform(-0.05, 0.1))))


STREAMS: dict[str, Callable[[Source], None]] = {
    "steady": _steady,
    "zigzag": _zigzag,
    "into_limits": _into_limits,
    "mixed": _mixed,
    "disorder": _disorder,
    "garbage": _garbage,
    "operator": _operator,
    "clock": _clock,
    "slow": _slow,
}
