# SPDX-License-Identifier: Apache-2.0
"""Robots that do nothing but send observations at a rate: the load of the fleet's measurements.

Each has a camera of its own rhythm. An observation that cannot be sent before the next one is there is dropped, as in
the running graph.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from vla_core.observation_map.observation_map import ObservationMap
from vla_policy.mapping.inputs import encode_observation
from vla_policy.policy import Observation
from vla_policy.remote.codecs import openpi
from websockets.asyncio.client import ClientConnection, connect

NATIVE = (480, 640)  # (height, width) [pixels] where the map leaves the size open
INSTRUCTION = "pick up the red block"


@dataclass(frozen=True, slots=True)
class Driven:
    """ages: from capture to the received chunk [s]; dropped: observations that were not sent; failed: error texts."""

    ages: tuple[float, ...]
    dropped: int
    failed: int


def message(observation_map: ObservationMap, seed: int) -> bytes:
    """Return an observation of noise as it travels."""
    random = np.random.default_rng(seed)
    images = {
        camera.name: random.integers(0, 256, (*(camera.height_width or NATIVE), 3), dtype=np.uint8)
        for camera in observation_map.cameras
    }
    robot = observation_map.robot
    assert robot is not None
    joints = np.asarray(robot.home, dtype=np.float64)
    pose = np.array([0.5, 0.0, 0.3]), np.array([1.0, 0.0, 0.0, 0.0])
    seen = Observation(0.0, images, robot.joints, joints, *pose, robot.gripper.max_width)
    return openpi.pack(encode_observation(observation_map, seen, INSTRUCTION))


def drive(uri: str, messages: Sequence[bytes], seconds: float, rate: float, seed: int = 0) -> Driven:
    """Let one robot for each message observe for a while; rate [Hz]. Raises OSError where the server is gone."""
    phases = np.random.default_rng(seed).uniform(0.0, 1.0 / rate, len(messages))

    async def all_of_them() -> list[Driven]:
        begin = asyncio.get_running_loop().time() + 0.5
        robots = zip(messages, phases, strict=True)
        return await asyncio.gather(*[_robot(uri, sent, begin + phase, seconds, rate) for sent, phase in robots])

    driven = asyncio.run(all_of_them())
    return Driven(
        tuple(age for each in driven for age in each.ages),
        sum(each.dropped for each in driven),
        sum(each.failed for each in driven),
    )


async def _robot(uri: str, sent: bytes, begin: float, seconds: float, rate: float) -> Driven:
    async with connect(uri, compression=None, proxy=None, open_timeout=60, ping_interval=None) as connection:
        await connection.recv()
        await _ask(connection, sent)  # the task's beginning, which encodes the instruction
        return await _observe(connection, sent, begin, seconds, rate)


async def _observe(connection: ClientConnection, sent: bytes, begin: float, seconds: float, rate: float) -> Driven:
    now = asyncio.get_running_loop().time
    ages: list[float] = []
    dropped = failed = 0
    late = max(now() - begin, 0.0)
    for k in range(int(seconds * rate)):
        due = begin + np.ceil(late * rate) / rate + k / rate
        if now() > due + 1.0 / rate:
            dropped += 1
            continue
        await asyncio.sleep(max(due - now(), 0.0))
        failed += not await _ask(connection, sent)
        ages.append(now() - due)
    return Driven(tuple(ages), dropped, failed)


async def _ask(connection: ClientConnection, sent: bytes) -> bool:
    """Whether the reply is a chunk."""
    await connection.send(sent)
    return isinstance(await connection.recv(), bytes)
