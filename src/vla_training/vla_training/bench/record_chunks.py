# SPDX-License-Identifier: Apache-2.0
"""Record action chunks of lockstep episodes for `vla bench controller`: `python -m` this module."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from vla_core.action import ActionChunk
from vla_policy.policy import Observation, PolicyConfig
from vla_policy.registry import create as create_policy
from vla_sim.task.task import FAMILIES
from vla_sim.world.camera import Camera
from vla_sim.world.layout import sample_layout, sample_task
from vla_sim.world.world import World

from vla_training.evaluate.lockstep import Lockstep, LockstepSettings


def record(policy_name: str, robot: str, checkpoint: str, seed: int, episodes: int, seconds: float) -> dict[str, Any]:
    """Chunks as the controller got them. Times in [s] since each episode's start, lengths [m], angles [rad]."""
    policy = create_policy(policy_name, PolicyConfig(checkpoint=checkpoint, robot=robot, threads=1))
    world, settings = World(robot), LockstepSettings()
    camera = None if policy.uses_scene else Camera(world)
    lockstep = Lockstep(world, camera, policy.image_size or (128, 160), settings)
    runs = []
    for index in range(episodes):
        rng = np.random.default_rng([seed, index])
        task = sample_task(rng, FAMILIES[index % len(FAMILIES)])
        sample_layout(world.robot, task, rng).apply(world)
        lockstep.start()
        policy.reset(task.text(None))
        began, chunks = world.time, []
        while world.time - began < seconds:
            observation = lockstep.observe(scene=policy.uses_scene, image=camera is not None)
            chunk = policy.infer(observation)
            chunks.append(_row(observation, chunk, began, settings.inference_time, len(world.robot.joint_names)))
            lockstep.apply(observation, chunk)
        runs.append({"instruction": task.text(None), "chunks": chunks})
    policy.close()
    return {"robot": robot, "policy": policy_name, "seed": seed, "runs": runs}


def _row(observation: Observation, chunk: ActionChunk, began: float, latency: float, joints: int) -> dict[str, Any]:
    stamp = chunk.stamp - began
    steps = [[*s.translation.tolist(), *s.rotation_vector.tolist(), float(s.gripper)] for s in chunk.steps]
    return {
        "stamp": round(stamp, 4),
        "arrival": round(stamp + latency, 4),
        "mode": int(chunk.mode),
        "delta_reference": int(chunk.delta_reference),
        "period": chunk.period,
        "observed_position": _rounded(observation.ee_position),
        "observed_quaternion_xyzw": _rounded(observation.ee_quaternion_xyzw, 8),
        "observed_joints": _rounded(observation.joint_position[:joints]),
        "steps": [_rounded(np.array(step)) for step in steps],
    }


def _rounded(values: NDArray[np.float64], digits: int = 6) -> list[float]:
    return [round(float(value), digits) for value in values]


def main(argv: Sequence[str]) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m vla_training.bench.record_chunks", description=__doc__)
    parser.add_argument("--policy", default="rt1")
    parser.add_argument("--robot", default="fr3")
    parser.add_argument("--checkpoint", default="", help="empty: the one shipped for the robot")
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--episodes", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=8.0, help="simulated time of each episode")
    parser.add_argument("--note", default="", help="where the checkpoint comes from, for people")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args(argv)
    recording = record(
        arguments.policy, arguments.robot, arguments.checkpoint, arguments.seed, arguments.episodes, arguments.seconds
    )
    command = f"python -m vla_training.bench.record_chunks --policy {arguments.policy} --seed {arguments.seed}"
    source = {"source": f"{command} --episodes {arguments.episodes} --seconds {arguments.seconds}"}
    lines = json.dumps({**source, "note": arguments.note, **recording}).replace('{"stamp"', '\n{"stamp"')
    arguments.out.write_text(lines + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
