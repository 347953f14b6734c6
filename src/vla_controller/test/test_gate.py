# SPDX-License-Identifier: Apache-2.0
"""Each kind of bad chunk is refused under its name, and the arm holds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from vla_controller.bench.rig import Bench
from vla_controller.refusals import Refusal
from vla_core.action import ActionMode, ActionStep
from vla_core.rotation import Pose

NAN = float("nan")
JOINTS = {"mode": ActionMode.JOINT_POSITION}
CASES: dict[str, Callable[[Bench], object]] = {
    "non_finite": lambda b: b.send(ActionStep(np.array([NAN, 0.0, 0.0]))),
    "non_finite stamp": lambda b: b.send(ActionStep(), stamp=NAN),
    "non_finite rotation": lambda b: b.send(ActionStep(rotation_vector=np.array([0.0, np.inf, 0.0]))),
    "non_finite observed": lambda b: b.send(
        ActionStep(), observed_pose=Pose(np.full(3, NAN), np.array([0, 0, 0, 1.0]))
    ),
    "chunk_too_old": lambda b: b.send(ActionStep(), stamp=b.now - 1.51),
    "chunk_from_future": lambda b: b.send(ActionStep(), stamp=b.now + 0.2),
    "wrong_instruction": lambda b: b.send(ActionStep(), instruction_id="other"),
    "wrong_joints": lambda b: b.send(ActionStep(joints=b.q), joint_names=("x",) * len(b.q), **JOINTS),
    "wrong_joints length": lambda b: b.send(ActionStep(joints=b.q[:-1]), **JOINTS),
    "wrong_frame": lambda b: b.send(ActionStep(), frame_id="camera"),
    "step_too_large": lambda b: b.send(ActionStep(np.array([0.0, 0.16, 0.0]))),
    "step_too_large rotation": lambda b: b.send(ActionStep(rotation_vector=np.array([0.0, 0.0, 1.1]))),
    "step_too_large jump": lambda b: b.send(ActionStep(), observed_pose=Pose(b.pose.position - 0.3, b.pose.quaternion)),
    "step_too_large joints": lambda b: b.send(ActionStep(joints=b.q + 1.6), **JOINTS),
    "empty_chunk": lambda b: b.send(),
    "too_many_steps": lambda b: b.send(*[ActionStep()] * 201),
    "bad_period": lambda b: b.send(ActionStep(), period=0.0),
    "bad_period nan": lambda b: b.send(ActionStep(), period=NAN),
    "bad_mode": lambda b: b.send(ActionStep(), mode=9),
    "bad_quaternion": lambda b: b.send(ActionStep(), observed_pose=Pose(b.pose.position, np.zeros(4))),
    "bad_shape": lambda b: b.send(ActionStep(), observed_pose=None),
    "gripper_range": lambda b: b.send(ActionStep(gripper=2.0)),
}


@pytest.mark.parametrize("case", CASES)
def test_a_bad_chunk_is_refused_by_name_and_the_arm_holds(case: str, bench: Bench) -> None:
    name = case.split()[0]
    held = bench.q.copy()
    refusal = CASES[case](bench)
    assert isinstance(refusal, Refusal)
    assert refusal.name == name
    assert refusal.reason
    assert bench.controller.log.count(name) == 1
    bench.tick(10)
    assert np.array_equal(bench.q, held)
    assert bench.controller.chunks_accepted == 0


def test_out_of_order_and_duplicates_are_refused(bench: Bench) -> None:
    late, duplicate = bench.chunk(ActionStep()), bench.chunk(ActionStep())
    assert bench.controller.accept(duplicate, bench.now) is None
    for chunk in (duplicate, late):
        refusal = bench.controller.accept(chunk, bench.now)
        assert refusal is not None
        assert refusal.name == "out_of_order"


def test_a_policy_that_was_restarted_counts_from_zero_again(bench: Bench) -> None:
    assert bench.send(ActionStep(), sequence=500) is None
    bench.tick(4)
    assert bench.send(ActionStep(), sequence=0) is None


def test_nothing_moves_before_an_instruction_or_after_stop(fr3: Bench) -> None:
    bench = fr3
    bench.controller.reset(bench.q)
    bench.tick()
    refusal = bench.send(ActionStep())
    assert isinstance(refusal, Refusal)
    assert refusal.name == "wrong_instruction"
    bench.controller.set_instruction("a")
    assert bench.send(ActionStep()) is None
    bench.controller.set_instruction("s", stop=True)
    refusal = bench.send(ActionStep(), instruction_id="s")
    assert isinstance(refusal, Refusal)
    assert refusal.name == "stopped"
    bench.controller.set_instruction("a")
    bench.tick()
    assert bench.send(ActionStep()) is None


def test_the_emergency_stop_is_latched_and_resets_only_at_rest(fr3: Bench) -> None:
    bench = fr3
    bench.send(ActionStep(np.array([0.0, 0.1, 0.0])))
    bench.tick(4)
    bench.controller.estop()
    bench.tick()
    refused = bench.controller.reset_estop()
    assert refused is not None
    assert refused.name == "estop_moving"
    bench.tick(10)
    bench.controller.set_instruction("b")
    refusal = bench.send(ActionStep(), instruction_id="b")
    assert isinstance(refusal, Refusal)
    assert refusal.name == "estopped"
    assert bench.controller.reset_estop() is None
    refusal = bench.send(ActionStep(), instruction_id="b")
    assert isinstance(refusal, Refusal)
    assert refusal.name == "stopped"
    bench.controller.set_instruction("c")
    assert bench.send(ActionStep(), instruction_id="c") is None


def test_stale_joint_states_stop_the_arm_and_refuse_chunks(fr3: Bench) -> None:
    bench = fr3
    bench.now += 0.51
    refusal = bench.send(ActionStep())
    assert isinstance(refusal, Refusal)
    assert refusal.name == "joint_state_stale"


@pytest.mark.parametrize("jump", [-5.0, 3.0])
def test_a_clock_that_jumps_stops_the_arm_and_chunks_go_on(jump: float, fr3: Bench) -> None:
    bench = fr3
    bench.now += 10.0
    bench.tick()
    bench.send(ActionStep(np.array([0.0, 0.1, 0.0])))
    bench.tick(4)
    count = bench.controller.log.count("clock_jump")
    bench.now += jump
    bench.tick(12)
    assert bench.controller.log.count("clock_jump") == count + 1
    assert bench.controller.at_rest
    assert bench.send(ActionStep()) is None
