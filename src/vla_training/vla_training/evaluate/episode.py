# SPDX-License-Identifier: Apache-2.0
"""One episode in lockstep: a policy acts until the success test holds, time is up, or it has ended its task."""

from __future__ import annotations

from collections.abc import Callable

from vla_policy.policy import Observation
from vla_sim.task.task import SuccessTest

from vla_training.evaluate.lockstep import Lockstep
from vla_training.evaluate.policy_driver import PolicyDriver

SETTLING = 2.0  # [s] after the policy's end in which what it released may come to rest
Watch = Callable[[Observation], None]


def act(driver: PolicyDriver, lockstep: Lockstep, test: SuccessTest, limit: float, watch: Watch | None = None) -> bool:
    """Let a policy that has its instruction act on a laid table; return whether it succeeded.

    Args:
        driver: the policy, after `begin`.
        lockstep: the world, after `start`.
        test: judges the task.
        limit: [s] of simulated time.
        watch: is given every observation.
    """
    world, scene = lockstep.world, driver.policy.uses_scene
    end = world.time + limit
    while world.time < end:
        if driver.over:
            end = min(end, world.time + SETTLING)
            lockstep.hold()
        else:
            observation = lockstep.observe(scene, not scene)
            if watch is not None:
                watch(observation)
            chunk = driver.act(observation, world.time, lockstep.settings.inference_time)
            lockstep.apply(observation, chunk) if chunk is not None else lockstep.hold()
        if test.update():
            return True
    return False
