# SPDX-License-Identifier: Apache-2.0
"""Messages of the graph to the demo's own data."""

from __future__ import annotations

from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Vector3
from numpy.typing import NDArray
from sensor_msgs.msg import Image

from vla_demo.run.samples import ChunkSample, ControllerSample, PolicySample, TaskSample
from vla_msgs.msg import ActionChunk, ActionStep, ControllerStatus, PolicyStatus, TaskStatus


def _names(message: Any) -> dict[int, str]:
    """The STATE_ constants of a message type, in lower case."""
    prefix = "STATE_"
    return {getattr(message, name): name[len(prefix) :].lower() for name in dir(message) if name.startswith(prefix)}


CONTROLLER_STATES = _names(ControllerStatus)
POLICY_STATES = _names(PolicyStatus)


def seconds(stamp: Time) -> float:
    """A stamp in seconds."""
    return float(stamp.sec + 1e-9 * stamp.nanosec)


def image(message: Image) -> NDArray[np.uint8]:
    """The pixels (height, width, 3) of an rgb8 or bgr8 picture as RGB; raises ValueError for another encoding."""
    if message.encoding not in ("rgb8", "bgr8"):
        raise ValueError(f"picture with encoding {message.encoding!r}; rgb8 or bgr8 is needed")
    rows = np.frombuffer(message.data, np.uint8).reshape(message.height, message.step)
    pixels = rows[:, : 3 * message.width].reshape(message.height, message.width, 3)
    return pixels if message.encoding == "rgb8" else pixels[:, :, ::-1]


def controller(message: ControllerStatus) -> ControllerSample:
    """One tick."""
    return ControllerSample(
        stamp=seconds(message.header.stamp),
        state=CONTROLLER_STATES.get(message.state, str(message.state)),
        reference=np.array(message.reference, dtype=np.float64),
        setpoint=np.array(message.setpoint, dtype=np.float64),
        measured=np.array(message.measured, dtype=np.float64),
        gripper=message.gripper,
        tick_period=message.tick_period,
        stamp_to_setpoint=message.stamp_to_setpoint,
        chunk_sequence=message.chunk_sequence,
        instruction_id=message.instruction_id,
        refusals=sum(refusal.count for refusal in message.refusals),
    )


def chunk(message: ActionChunk, received: float) -> ChunkSample:
    """One chunk that came at `received` [s]."""
    count = len(message.dimension_names)
    step = message.steps[0] if message.steps else ActionStep(gripper=float("nan"))
    return ChunkSample(
        stamp=received,
        observation_stamp=seconds(message.header.stamp),
        sequence=message.sequence,
        instruction_id=message.instruction_id,
        dimension_names=tuple(message.dimension_names),
        tokens=tuple(message.tokens[:count]),
        probabilities=tuple(message.token_probabilities[:count]),
        inference_time=message.inference_time,
        translation=_vector(step.translation),
        rotation=_vector(step.rotation),
        gripper=step.gripper,
    )


def _vector(message: Vector3) -> tuple[float, float, float]:
    return message.x, message.y, message.z


def policy(message: PolicyStatus) -> PolicySample:
    """One status of the policy node."""
    return PolicySample(
        stamp=seconds(message.header.stamp),
        state=POLICY_STATES.get(message.state, str(message.state)),
        instruction=message.instruction,
        rate=message.rate,
        inference_time=message.inference_time,
        observation_age=message.observation_age,
        confidence=message.token_confidence,
        reason=message.reason,
        legal_mass=message.legal_mass,
    )


def task(message: TaskStatus) -> TaskSample:
    """One judgement."""
    return TaskSample(
        stamp=seconds(message.header.stamp),
        instruction=message.instruction,
        family=message.family,
        success=message.success,
        real_time_factor=message.real_time_factor,
    )
