# SPDX-License-Identifier: Apache-2.0
"""A policy server that fails in the middle of a motion: what the arm does, and whether the policy finds it again.

The remote policy and the server are real and exchange messages in real time; the controller runs in simulated time,
which an inference moves on by as long as it took.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from vla_controller.arm_controller import ArmController
from vla_controller.bench.rig import Bench
from vla_controller.bench.streams import start_pose
from vla_controller.path.planner import REST_TIME
from vla_core.action import ActionChunk
from vla_core.observation_map.presets import load_map
from vla_core.robot import load_robot_config
from vla_policy.errors import PolicyError
from vla_policy.policy import Observation
from vla_policy.remote.credentials import Credentials
from vla_policy.remote.options import Options
from vla_policy.remote.policy import RemotePolicy
from vla_policy.remote.protocols import make_server

from vla_training.bench.remote.hostile import FAULTS, Server, actions_for, hostile_server

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAP = "openpi_bridge"
DT = 0.05  # [s] period of the controller
PERIOD = 0.2  # [s] between observations
REPLY_S = 0.2  # [s] time limit of a reply
LATE_S = 0.25  # [s] delay of a late reply, beyond the limit
MOST_ATTEMPTS = 400  # until the server counts as lost


@dataclass(slots=True)
class Tally:
    """Sums over runs."""

    runs: int = 0
    violations: int = 0
    stale_actions: int = 0
    recovered: int = 0
    examples: list[str] = field(default_factory=list)
    rests: dict[str, float] = field(default_factory=dict)  # [s] the longest, by fault
    errors: dict[str, float] = field(default_factory=dict)  # [s] the longest wall time of a failed inference, by fault


class Run:
    """One robot whose server fails once."""

    def __init__(self, policy: RemotePolicy, controller: ArmController, rng: np.random.Generator, begin: float) -> None:
        """begin: [s] added to the bench's time in stamps, so that none repeats over runs."""
        self.policy, self.begin = policy, begin
        start = start_pose(controller.config, controller.kinematics.clearance, rng)
        self.bench = Bench(controller, DT, start=start)
        self.last_due = 0.0  # [s] elapsed
        self.stale = 0
        self.slowest = 0.0  # [s]
        self.image = rng.integers(0, 256, (224, 224, 3), np.uint8)

    @property
    def clock(self) -> float:
        """Simulated time over all runs [s]."""
        return self.begin + self.bench.now

    def ask(self) -> bool:
        """Let one period pass with one inference; return whether the server answered."""
        bench, began = self.bench, self.bench.now
        observation, wall = self._observation(), time.perf_counter()
        addressed = {"observed_pose": bench.pose, "observed_joints": bench.q.copy()}
        chunk: ActionChunk | None = None
        try:
            chunk = self.policy.infer(observation)
        except PolicyError:
            self.slowest = max(self.slowest, time.perf_counter() - wall)
        bench.tick(max(1, math.ceil((time.perf_counter() - wall) / DT)))
        if chunk is not None:
            self._send(chunk, observation, began, addressed)
        while bench.now < began + PERIOD - 1e-9:
            bench.tick()
        return chunk is not None

    def rest(self) -> float:
        """Let the arm come to rest without a server, and return how long after the last due step it did [s]."""
        bench = self.bench
        bench.tick(math.ceil((max(0.0, self.last_due - bench.elapsed) + REST_TIME) / DT) + 2)
        return bench.rest_after(self.last_due)

    def _send(self, chunk: ActionChunk, observation: Observation, began: float, addressed: dict[str, Any]) -> None:
        bench = self.bench
        expected = actions_for(observation.stamp)[: len(chunk.steps), :3]
        self.stale += not np.allclose([step.translation for step in chunk.steps], expected, atol=1e-6)
        bench.sequence += 1
        config = bench.controller.config
        told = replace(
            chunk,
            stamp=began,
            frame_id=config.base_frame,
            instruction_id=bench.instruction_id,
            sequence=bench.sequence,
            joint_names=config.joints,
            **addressed,
        )
        if bench.controller.accept(told, bench.now) is None:
            self.last_due = bench.elapsed + max(0.0, bench.controller.motion.last_due - bench.now)

    def _observation(self) -> Observation:
        bench = self.bench
        pose, config = bench.pose, bench.controller.config
        images = {self.policy.camera_names[0]: self.image}
        width = config.gripper.max_width
        return Observation(self.clock, images, config.joints, bench.q.copy(), pose.position, pose.quaternion, width)


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return `faults`: runs, violations, stale actions, recoveries, and the longest time to rest [s] by fault."""
    robot = load_robot_config(arguments.robot)
    controller, bound, tally = ArmController(robot, DT), load_map(MAP).for_robot(robot), Tally()
    with hostile_server() as server:
        server.late_s = LATE_S
        url, now = f"ws://127.0.0.1:{server.port}", [0.0]
        options = Options(url, connect_timeout=2.0, first_reply_timeout=REPLY_S, reply_timeout=REPLY_S)
        policy = RemotePolicy(make_server(url, Credentials()), bound, options, clock=lambda: now[0])
        for index in range(arguments.faults):
            rng = np.random.default_rng([arguments.seed, index])
            fault = list(FAULTS)[index % len(FAULTS)]
            run = Run(policy, controller, rng, begin=now[0])
            _play(run, server, fault, rng, tally, now)
            if (index + 1) % 100 == 0:
                print(f"  {index + 1} faults: {_line(tally)}", flush=True)
        policy.close()
    return {"faults": _report(tally)}


def _play(run: Run, server: Server, fault: str, rng: np.random.Generator, tally: Tally, now: list[float]) -> None:
    """Drive, fail, come to rest, be found again, drive on, end."""

    def ask() -> bool:
        answered = run.ask()
        now[0] = run.clock
        return answered

    def until_answered() -> bool:
        return any(ask() for _ in range(MOST_ATTEMPTS))

    run.policy.reset("pick up the red block")
    moving = until_answered()
    for _ in range(int(rng.integers(1, 4))):
        ask()
    server.fault, run.slowest = fault, 0.0
    for _ in range(int(rng.integers(1, 4))):
        ask()
    rest, slowest = run.rest(), run.slowest
    server.fault = ""
    now[0] = run.clock
    recovered = moving and until_answered()
    ask()
    final = run.rest()
    now[0] = run.clock + PERIOD
    found = run.bench.account(run.last_due)
    tally.runs += 1
    tally.violations += len(found)
    tally.examples = [*tally.examples, *(f"{fault}: {violation.text}" for violation in found)][:5]
    tally.stale_actions += run.stale
    tally.recovered += recovered
    tally.rests[fault] = max(tally.rests.get(fault, 0.0), rest, final)
    tally.errors[fault] = max(tally.errors.get(fault, 0.0), slowest)


def _report(tally: Tally) -> dict[str, Any]:
    return {
        "runs": tally.runs,
        "violations": tally.violations,
        "examples": tally.examples,
        "stale_actions": tally.stale_actions,
        "recovered": tally.recovered,
        "longest_to_rest_s": round(max(tally.rests.values()), 3),
        "longest_to_rest_s_by_fault": {name: round(value, 3) for name, value in tally.rests.items()},
        "reply_limit_s": REPLY_S,
        "longest_error_s_by_fault": {name: round(value, 3) for name, value in tally.errors.items()},
    }


def _line(tally: Tally) -> str:
    return (
        f"{tally.violations} violations, {tally.stale_actions} stale actions, {tally.recovered} of {tally.runs} "
        f"recovered, at rest {max(tally.rests.values()):.2f} s after the last due step at most"
    )


def draw(axes: Axes, result: Mapping[str, Any]) -> None:
    """Draw the longest time to rest by fault."""
    rows = result["faults"]["longest_to_rest_s_by_fault"]
    axes.barh(list(rows), list(rows.values()), color="tab:green")
    axes.axvline(REST_TIME, color="black", linestyle=":")
    runs = result["faults"]["runs"]
    axes.set(title=f"server fails in motion, {runs} times", xlabel="last due step to rest, longest [s]")
