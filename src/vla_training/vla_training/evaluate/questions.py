# SPDX-License-Identifier: Apache-2.0
"""`vla eval questions`: what a policy answers about fresh scenes, against the simulator's truth.

A scene is a table of `vla eval`'s, with the scripted expert some random number of steps into its task, so that blocks
are also held, in the bowl and half hidden. An answer counts when it is the true one, word for word.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from vla_core.files import write_text
from vla_policy.errors import InstructionError
from vla_policy.policy import Observation, Policy, PolicyConfig
from vla_policy.registry import create as create_policy
from vla_sim.expert.policy import ExpertPolicy
from vla_sim.task.task import FAMILIES
from vla_sim.world.camera import Camera
from vla_sim.world.layout import sample_layout, sample_task
from vla_sim.world.scene import BLOCKS, BOWL
from vla_sim.world.world import World

from vla_training.evaluate.command import wilson
from vla_training.evaluate.lockstep import Lockstep, LockstepSettings
from vla_training.rt2 import card
from vla_training.rt2.samples.scene_text import KINDS, Scene, draw_exchange
from vla_training.run.arguments import Parser, natural, positive

_MAX_STEPS = 45  # of the expert before the question
_GONE = (0.0, 0.0, -1.0)


@dataclass(frozen=True, slots=True)
class Answered:
    """One question."""

    kind: str
    question: str
    wanted: str
    answer: str

    @property
    def right(self) -> bool:
        """Whether the answer is the true one, word for word."""
        return self.answer.lower().split() == self.wanted.lower().split()


def scene_of_world(world: World, tcp: Sequence[float]) -> Scene:
    """The truth of a world now."""
    objects = world.objects()
    blocks = np.array([objects[name][:3] if name in objects else _GONE for name in BLOCKS])
    bowl = objects[BOWL][:3] if BOWL in objects else np.array(_GONE)
    return Scene(blocks, bowl, np.asarray(tcp, dtype=np.float64))


def ask_scenes(policy: Policy, robot: str, scenes: int, per_scene: int, seed: int) -> Iterator[Answered]:
    """Questions of all kinds in turn about `scenes` fresh scenes. Raises PolicyError where it cannot answer."""
    if type(policy).ask is Policy.ask:
        raise InstructionError(f"policy {policy.name} cannot answer questions; valid is one that can, as rt2")
    world = World(robot)
    camera = Camera(world)
    lockstep = Lockstep(world, camera, policy.image_size or (128, 160), LockstepSettings())
    expert = ExpertPolicy(robot, lockstep.settings.policy_period)
    kinds = list(KINDS)
    try:
        for index in range(scenes):
            rng = np.random.default_rng([seed, 11, index])
            observation = _play(world, lockstep, expert, index, rng)
            policy.reset("answer questions")
            scene = scene_of_world(world, observation.ee_position)
            for number in range(per_scene):
                kind = kinds[(index * per_scene + number) % len(kinds)]
                exchange = draw_exchange(scene, rng, kind) or draw_exchange(scene, rng)
                if exchange is not None:
                    said = _said(policy, observation, exchange.question)
                    yield Answered(exchange.kind, exchange.question, exchange.answer, said)
    finally:
        camera.close()


def _said(policy: Policy, observation: Observation, question: str) -> str:
    """The answer; nothing where the model has none, which is wrong and no reason to stop."""
    try:
        return policy.ask(observation, question).text
    except InstructionError:
        return ""


def _play(world: World, lockstep: Lockstep, expert: ExpertPolicy, index: int, rng: np.random.Generator) -> Any:
    """Lay a table and let the expert work for a while; returns the observation to be asked about."""
    task = sample_task(rng, FAMILIES[index % len(FAMILIES)])
    lockstep.forget()
    sample_layout(world.robot, task, rng).apply(world)
    lockstep.start()
    expert.reset(task.text())
    for _ in range(int(rng.integers(0, _MAX_STEPS))):
        observation = lockstep.observe(scene=True, image=False)
        lockstep.apply(observation, expert.infer(observation))
    return lockstep.observe(scene=True)


def summarise(policy: str, checkpoint: str, robot: str, seed: int, answered: Sequence[Answered]) -> dict[str, Any]:
    """The report: shares by kind with their 95 % interval, and every question."""
    kinds = {}
    for kind in dict.fromkeys(each.kind for each in answered):
        group = [each.right for each in answered if each.kind == kind]
        kinds[kind] = {"share": sum(group) / len(group), "asked": len(group)}
    right = sum(each.right for each in answered)
    return {
        "policy": policy,
        "checkpoint": checkpoint,
        "robot": robot,
        "seed": seed,
        "share": right / len(answered),
        "asked": len(answered),
        "interval_95": wilson(right, len(answered)),
        "kinds": kinds,
        "answers": [{"kind": a.kind, "question": a.question, "wanted": a.wanted, "answer": a.answer} for a in answered],
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `vla eval questions`; returns the exit status."""
    arguments = _parser().parse_args(argv)
    config = PolicyConfig(checkpoint=arguments.checkpoint, robot=arguments.robot, threads=arguments.threads)
    policy = create_policy(arguments.policy, config)
    answered: list[Answered] = []
    for each in ask_scenes(policy, arguments.robot, arguments.scenes, arguments.per_scene, arguments.seed):
        answered.append(each)
        if not each.right:
            print(f"{each.question}  said {each.answer!r}, true is {each.wanted!r}", flush=True)
    report = summarise(arguments.policy, policy.checkpoint, arguments.robot, arguments.seed, answered)
    policy.close()
    write_text(arguments.out, json.dumps(report, indent=1) + "\n")
    for kind, row in report["kinds"].items():
        print(f"{kind:8s} {100 * row['share']:5.1f} % of {row['asked']}")
    low, high = report["interval_95"]
    print(f"all      {100 * report['share']:5.1f} % ({100 * low:.0f} to {100 * high:.0f} %) -> {arguments.out}")
    if arguments.card:
        print(f"written: {add_answered(arguments.card, report)}")
    return 0


def add_answered(folder: Path, report: dict[str, Any]) -> Path:
    """Put a report into a checkpoint's model card, in place of an earlier one with that seed."""
    now = card.read_card(folder)
    row = {key: report[key] for key in ("robot", "seed", "share", "asked", "kinds")}
    others = [each for each in now["answered"] if each["seed"] != row["seed"]]
    return card.write_card(folder, now | {"answered": [*others, row]})


def _parser() -> Parser:
    parser = Parser(prog="vla eval questions", description=__doc__)
    parser.add_argument("--policy", default="rt2", help="rt2 (default) or any policy that answers questions")
    parser.add_argument("--robot", default="fr3", help="fr3 (default) or wx250s")
    parser.add_argument("--checkpoint", default="", help="folder or shipped name; empty: the robot's shipped one")
    parser.add_argument("--scenes", type=positive, default=100)
    parser.add_argument("--per-scene", type=positive, default=8, help="questions about each (default 8)")
    parser.add_argument("--seed", type=natural, default=7)
    parser.add_argument("--threads", type=natural, default=0)
    parser.add_argument("--out", type=Path, default=Path("out/questions.json"))
    parser.add_argument("--card", type=Path, metavar="CHECKPOINT", help="put the result into its model card")
    return parser
