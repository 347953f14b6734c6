# SPDX-License-Identifier: Apache-2.0
"""A policy that plans, refuses and answers, for the tests of the node; instructions and questions say what it does."""

import json
import threading
import time
from dataclasses import asdict

import numpy as np
from vla_core.action import ActionChunk, ActionMode, ActionStep, DeltaReference
from vla_policy.errors import ActionRefusedError
from vla_policy.policy import Answer, Observation, Policy, PolicyConfig

NAMES = ("terminate", "x", "gripper")
PLANS = ("go to the block",) * 3 + ("close the gripper",)  # one a chunk, over and over


class TalkingPolicy(Policy):
    """Acts on "act", plans on "plan", refuses every action on "refuse" and the first three on "refuse three"."""

    name = "talking"

    def __init__(self, config: PolicyConfig) -> None:
        """Keep what the factory was given, to tell it."""
        self._config = config
        self._instruction = ""
        self._resets = self._inferences = 0

    def reset(self, instruction: str) -> None:
        self._instruction, self._inferences = instruction, 0
        self._resets += 1

    def infer(self, observation: Observation) -> ActionChunk:
        self._inferences += 1
        if self._instruction == "refuse" or (self._instruction == "refuse three" and self._inferences <= 3):
            raise ActionRefusedError("legal mass is 0.02; valid is at least 0.5")
        return ActionChunk(
            observation.stamp,
            ActionMode.EE_DELTA,
            DeltaReference.OBSERVED,
            self._config.period_s,
            (ActionStep(),),
            tokens=np.array([[0, 128, 255]], np.uint16),
            token_probabilities=np.array([[0.9, 0.6, 0.3]], np.float32),
            dimension_names=NAMES,
            legal_mass=np.array([[np.nan, 0.75, 0.9]], np.float32),
            plan=PLANS[(self._inferences - 1) % len(PLANS)] if self._instruction == "plan" else "",
        )

    def ask(self, observation: Observation, question: str) -> Answer:
        if question.startswith("slow"):
            time.sleep(1.5)
        height, width, _ = observation.image.shape
        replies = {
            "which size?": f"{width} x {height}",
            "which thread?": threading.current_thread().name,
            "how old?": f"{time.time() - observation.stamp:.3f}",
            "how many resets?": str(self._resets),
            "which settings?": json.dumps(asdict(self._config)),
            "nothing?": " ",
        }
        if question == "break?":
            raise RuntimeError("boom")
        return Answer(replies.get(question, question), 0.8)


def create(config: PolicyConfig) -> TalkingPolicy:
    return TalkingPolicy(config)
