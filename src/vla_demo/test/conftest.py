# SPDX-License-Identifier: Apache-2.0
"""A recording made of formulas: two episodes, the second one changed mid-run."""

import math

import numpy as np
import pytest
from vla_demo.picture.pictures import encode_jpeg
from vla_demo.run.samples import ChunkSample, ControllerSample, Episode, PolicySample, Recording, TaskSample

ZERO = 1_000_000.0  # [s]: stamps are large, as those of a wall clock
NAMES = ("x", "y", "z", "roll", "pitch", "yaw", "gripper", "base_x", "base_y", "base_yaw", "mode")


def tick(stamp: float, sequence: int) -> ControllerSample:
    joints = np.sin(stamp - ZERO + np.arange(3))
    return ControllerSample(
        stamp=stamp,
        state="tracking",
        reference=joints,
        setpoint=joints - 0.01,
        measured=joints - 0.02,
        gripper=0.5,
        tick_period=0.05,
        stamp_to_setpoint=0.28 if sequence else math.nan,
        chunk_sequence=sequence,
        instruction_id="a",
        refusals=0,
    )


def chunk(stamp: float, sequence: int, instruction_id: str) -> ChunkSample:
    tokens = tuple((7 * sequence + 20 * i) % 256 for i in range(len(NAMES)))
    sure = tuple(0.5 + 0.04 * i for i in range(len(NAMES)))
    return ChunkSample(stamp, stamp - 0.2, sequence, instruction_id, NAMES, tokens, sure, 0.12)


@pytest.fixture
def recording() -> Recording:
    made = Recording(joint_names=("a", "b", "c"))
    for i in range(240):
        made.controller.append(tick(ZERO + 0.05 * i, i // 4))
    for i in range(60):
        time = ZERO + 0.2 * i
        words = "pick up the red block" if time < ZERO + 5 else "put the blue block in the bowl"
        made.chunks.append(chunk(time, i, "one" if time < ZERO + 5 else "two"))
        made.policy.append(PolicySample(time, "running", words, 5.0, 0.12, 0.2, 0.8, ""))
        made.task.append(TaskSample(time, words, "pick", False, 0.99))
        shade = np.full((48, 64, 3), (4 * i, 90, 40), np.uint8)
        made.viewer.append(encode_jpeg(shade, time))
        made.policy_view.append(encode_jpeg(shade[:, ::-1], time))
    made.episodes.append(Episode("pick up the red block", "pick", 1, True, ZERO + 0.5, ZERO + 4.0))
    made.episodes.append(
        Episode(
            "put the blue block in the bowl", "place", 2, False, ZERO + 6.5, ZERO + 11.0, "push it", ZERO + 5.0, "late"
        )
    )
    return made
