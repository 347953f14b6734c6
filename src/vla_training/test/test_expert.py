# SPDX-License-Identifier: Apache-2.0
"""The scripted expert through policy, controller and physics in lockstep: a few episodes of every family."""

import numpy as np
import pytest
from vla_policy.errors import InstructionError, ObservationError
from vla_sim.expert.expert import expert_action, state_of
from vla_sim.expert.policy import ExpertPolicy
from vla_sim.task.task import FAMILIES, SuccessTest, Task
from vla_sim.world.layout import Layout, sample_layout, sample_task
from vla_sim.world.robots import get_robot
from vla_sim.world.scene import BLOCK_HALF, BOWL
from vla_sim.world.world import World
from vla_training.evaluate.lockstep import Lockstep

MAX_STEPS = 75
CASES = [("fr3", family) for family in FAMILIES] + [("wx250s", "pick"), ("wx250s", "place")]


@pytest.fixture(scope="module")
def locksteps():
    made: dict[str, Lockstep] = {}

    def get(robot: str) -> Lockstep:
        if robot not in made:
            made[robot] = Lockstep(World(robot))
        return made[robot]

    return get


def act(lockstep: Lockstep, expert: ExpertPolicy) -> bool:
    """One policy period; whether the expert says that it is done."""
    observation = lockstep.observe(scene=True, image=False)
    chunk = expert.infer(observation)
    assert lockstep.apply(observation, chunk) is None, "the controller refused the expert"
    return chunk.steps[0].terminate


def succeeds(lockstep: Lockstep, expert: ExpertPolicy, task: Task) -> bool:
    test = SuccessTest(lockstep.world, task)
    expert.reset(task.text())
    for _ in range(MAX_STEPS):
        act(lockstep, expert)
        if test.update():
            return True
    return False


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(("robot", "family"), CASES)
def test_expert_succeeds(locksteps, robot, family, seed):
    lockstep = locksteps(robot)
    rng = np.random.default_rng(seed)
    task = sample_task(rng, family)
    sample_layout(lockstep.world.robot, task, rng).apply(lockstep.world)
    lockstep.start()
    expert = ExpertPolicy(robot, lockstep.settings.policy_period)
    assert succeeds(lockstep, expert, task)
    ends = [act(lockstep, expert) for _ in range(15)]  # it notices, ends, and the success lasts
    assert ends[-1]
    assert SuccessTest(lockstep.world, task).holds_now() or family in ("near", "push")  # those compare with the start


def test_expert_changes_its_mind_with_the_instruction(locksteps):
    """A block in the hand for one task is set down before the next one."""
    lockstep = locksteps("fr3")
    first, second = Task("pick", "red block"), Task("pick", "blue block")
    Layout(first, {"red block": (0.5, 0.1, 0.0), "blue block": (0.5, -0.1, 0.0)}).apply(lockstep.world)
    lockstep.start()
    expert = ExpertPolicy("fr3", lockstep.settings.policy_period)
    assert succeeds(lockstep, expert, first)
    lockstep.new_instruction()
    assert succeeds(lockstep, expert, second)
    assert lockstep.world.object_pose("red block")[2] < 1.5 * BLOCK_HALF


def test_expert_that_lacks_something_says_so(locksteps):
    expert = ExpertPolicy("fr3", 0.2)
    seen = locksteps("fr3").observe(scene=False, image=False)
    with pytest.raises(InstructionError, match="reset"):
        expert.infer(seen)
    with pytest.raises(InstructionError, match="pick up the red block"):
        expert.reset("make coffee")
    expert.reset("pick up the red block")
    with pytest.raises(ObservationError, match="scene"):
        expert.infer(seen)


BESIDE, IN_BOWL = Task("near", "red block", "blue block"), Task("place", "red block", BOWL)
TARGET = np.array([0.5, 0.1, 0.02])
SPOT = TARGET - np.array([0.075, 0.0, -0.004])  # where a hand sets a block down beside the target


def beside(offset, height, width):
    """What the expert does with the red block between its pads, `offset` [m] (2,) from the spot beside the blue one."""
    block = SPOT + np.array([*offset, height])
    state = state_of(block, width, {"red block": block, "blue block": TARGET})
    return expert_action(state, BESIDE, get_robot("fr3"))


@pytest.mark.parametrize("family", ["near", "place"])
@pytest.mark.parametrize(("width", "rises"), [(0.04, False), (0.055, False), (0.065, True)])
def test_the_hand_rises_when_the_pads_are_off_the_block(family, width, rises):
    """Rising while they still open flings the block away."""
    task, height, target = (BESIDE, SPOT[2], "blue block") if family == "near" else (IN_BOWL, 0.04, BOWL)
    block = np.array([*(SPOT if family == "near" else TARGET)[:2], height])
    state = state_of(block, width, {"red block": block, target: TARGET})
    action = expert_action(state, task, get_robot("fr3"))
    assert action.opening[0] == 1.0
    assert (action.translation[0, 2] > 0.02) == rises


@pytest.mark.parametrize("offset", [(0.018, 0.0), (-0.018, 0.0), (0.0, 0.018), (0.012, -0.012)])
def test_a_spot_beside_a_block_need_not_be_met_to_the_centimetre(offset):
    """Whoever learns from the expert sees the spot less well than it does."""
    assert beside(offset, 0.03, 0.038).translation[0, 2] < -0.02
    released = beside(offset, 0.0, 0.038)
    assert released.opening[0] == 1.0
    assert not released.translation.any()


def test_far_from_the_spot_the_block_is_carried_high():
    assert beside((0.06, 0.0), 0.03, 0.038).translation[0, 2] > 0.02
