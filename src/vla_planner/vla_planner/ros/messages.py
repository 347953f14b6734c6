# SPDX-License-Identifier: Apache-2.0
"""Between messages and the planner's own data."""

from __future__ import annotations

import math

import numpy as np
from vla_core.ros.time import seconds_from_msg

from vla_msgs.msg import GoalStatus, GoalStep, Observation, PerceivedScene
from vla_planner.planner import Image, Usage
from vla_planner.report import GoalReport, StepRecord, StepState
from vla_planner.scene import Scene, SceneRules, SeenObject
from vla_planner.vocabulary import Step


def scene_from_msg(message: PerceivedScene, observation: Observation | None, rules: SceneRules) -> Scene:
    """Return the symbols of a perceived scene, with the tool and the gripper of an observation."""
    objects = {
        thing.name: SeenObject(
            thing.name,
            (thing.position.x, thing.position.y, thing.position.z),
            thing.confidence,
            thing.position_deviation,
        )
        for thing in message.objects
    }
    tool, width = None, math.nan
    if observation is not None and observation.ee_pose_valid:
        p = observation.ee_pose.position
        tool, width = (p.x, p.y, p.z), observation.gripper_width
    return Scene(objects, tool, width, seconds_from_msg(message.header.stamp), rules)


def picture_from_msg(observation: Observation | None) -> Image | None:
    """Return the first picture (H, W, 3) of an observation; None without one."""
    if observation is None or not observation.images:
        return None
    image = observation.images[0].image
    pixels = np.frombuffer(bytes(image.data), dtype=np.uint8)
    return pixels.reshape(image.height, image.width, 3) if pixels.size == image.height * image.width * 3 else None


def step_to_msg(record: StepRecord) -> GoalStep:
    """A step that was begun."""
    verdict = record.verdict
    return GoalStep(
        instruction=record.step.text,
        state=int(record.state),
        attempt=record.attempt,
        confidence=verdict.confidence if verdict is not None else math.nan,
        reason=verdict.reason if verdict is not None else "",
    )


def planned_to_msg(step: Step) -> GoalStep:
    """A step that is to come."""
    return GoalStep(instruction=step.text, state=int(StepState.PLANNED), confidence=math.nan)


def steps_to_msgs(report: GoalReport) -> list[GoalStep]:
    """What was begun and what is to come."""
    coming = report.plan
    if report.active is not None and coming and coming[0] == report.active.step:
        coming = coming[1:]
    return [step_to_msg(record) for record in report.begun] + [planned_to_msg(step) for step in coming]


def status_to_msg(report: GoalReport, goal_id: str, goal: str, planner: str, usage: Usage) -> GoalStatus:
    """Where a goal stands; the header is left to the caller."""
    return GoalStatus(
        goal_id=goal_id,
        goal=goal,
        planner=planner,
        state=int(report.state),
        steps=steps_to_msgs(report),
        question=report.question,
        say=report.say,
        result=int(report.code),
        result_text=report.text,
        replans=report.replans,
        decision_time=report.decision_time,
        cost=usage.cost,
    )
