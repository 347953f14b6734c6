# SPDX-License-Identifier: Apache-2.0
"""Ways of joining chunks: what they all keep, and what tells them apart."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vla_controller.arm_controller import ArmController
from vla_controller.bench.rig import Bench
from vla_controller.path.joining import NEWER, Joining, mean_joints, mean_pose
from vla_controller.path.reference import Path, Waypoint, sample_joints
from vla_controller.settings import AGGREGATES, JOININGS, ControllerSettings
from vla_core.action import ActionMode, ActionStep
from vla_core.robot import load_robot_config
from vla_core.rotation import Pose, from_rotation_vector, multiply, rotation_between
from vla_core.settings import SettingsError

WAYS = [("latest", "average"), *(("weighted", name) for name in AGGREGATES), ("ensemble", "average")]
TIMES = [0.3, 0.5, 0.7, 0.9]
QUICK = settings(max_examples=15, deadline=None)


def joining(way: str, aggregate: str = "average", decay: float = 0.01) -> Joining[np.ndarray]:
    chosen = ControllerSettings(joining=way, joining_aggregate=aggregate, joining_decay=decay)
    return Joining(chosen, sample_joints, mean_joints)


def feed(made: Joining[np.ndarray], chunks: list[np.ndarray], spacing: float = 0.2) -> list[tuple[np.ndarray, ...]]:
    """Join chunks (4, n), each made ``spacing`` [s] after the one before; returns what is to be followed of each."""
    plan, found = None, []
    for k, chunk in enumerate(chunks):
        times = [time + spacing * k for time in TIMES]
        found.append(made.join(plan, times, list(chunk)))
        plan = Path(tuple(Waypoint(time, value) for time, value in zip(times, found[-1], strict=True)))
    return found


@pytest.mark.parametrize(("way", "aggregate"), WAYS)
def test_chunks_that_say_the_same_are_followed_as_they_are(way: str, aggregate: str) -> None:
    line = np.arange(12.0)[:, None] * np.array([0.1, -0.2])
    chunks = [line[k : k + 4] for k in range(5)]
    for chunk, followed in zip(chunks, feed(joining(way, aggregate), chunks), strict=True):
        assert np.allclose(chunk, followed, atol=1e-12)


@pytest.mark.parametrize(("way", "aggregate"), WAYS)
@QUICK
@given(seed=st.integers(0, 2**32))
def test_what_is_followed_lies_between_what_was_said(way: str, aggregate: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    chunks = [rng.normal(size=(4, 3)) for _ in range(6)]
    said: dict[int, list[np.ndarray]] = {}
    for k, followed in enumerate(feed(joining(way, aggregate), chunks)):
        for step, value in enumerate(followed):
            said.setdefault(k + step, []).append(chunks[k][step])
            rows = np.array(said[k + step])
            assert np.all(value >= rows.min(axis=0) - 1e-9)
            assert np.all(value <= rows.max(axis=0) + 1e-9)


def test_each_way_has_its_weights() -> None:
    chunks = [np.zeros((4, 1)), np.ones((4, 1)), np.full((4, 1), 2.0)]
    assert feed(joining("latest"), chunks)[1][0] == 1.0
    for name, newer in NEWER.items():
        second = feed(joining("weighted", name), chunks)[1]
        assert np.allclose(np.ravel(second), [newer, newer, newer, 1.0])  # the last step is said by one chunk only
    weights = np.exp(-0.5 * np.arange(3))
    third = feed(joining("ensemble", decay=0.5), chunks)[2]
    assert np.allclose(third[0], weights @ [0.0, 1.0, 2.0] / weights.sum())
    assert np.allclose(third[2], weights[:2] @ [1.0, 2.0] / weights[:2].sum())


def test_steps_at_other_times_are_read_between() -> None:
    plan = Path((Waypoint(0.0, np.zeros(1)), Waypoint(1.0, np.ones(1))))
    found = joining("weighted", "average").join(plan, [0.25, 0.5, 1.5], [np.ones(1), np.ones(1), np.ones(1)])
    assert np.allclose(np.ravel(found), [0.625, 0.75, 1.0])


@QUICK
@given(seed=st.integers(0, 2**32))
def test_a_mean_of_poses_lies_between_them_whatever_the_signs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, turn = from_rotation_vector(rng.normal(size=3)), rng.normal(size=3) * 0.5
    second, share = multiply(from_rotation_vector(turn), first), float(rng.uniform())
    poses = [Pose(rng.normal(size=3), first * rng.choice([-1.0, 1.0])), Pose(rng.normal(size=3), second)]
    mean = mean_pose(poses, (1.0 - share, share))
    assert np.linalg.norm(mean.quaternion) == pytest.approx(1.0)
    angles = [np.linalg.norm(rotation_between(mean.quaternion, pose.quaternion)) for pose in poses]
    assert sum(angles) == pytest.approx(np.linalg.norm(turn), abs=1e-6)
    assert np.allclose(mean.position, (1.0 - share) * poses[0].position + share * poses[1].position)
    same = mean_pose([poses[0]] * 3, (0.2, 0.3, 0.5))
    assert np.linalg.norm(rotation_between(same.quaternion, poses[0].quaternion)) < 1e-7


def test_rotations_without_a_mean_give_the_newest() -> None:
    one, half = np.array([0.0, 0.0, 0.0, 1.0]), np.array([0.0, 0.0, 1.0, 0.0])
    poses = [Pose(np.zeros(3), q) for q in (one, half, -half, one)]
    assert np.isfinite(mean_pose(poses, (0.5, 0.5, 0.0, 0.0)).quaternion).all()


@pytest.mark.parametrize(("way", "aggregate"), WAYS)
@pytest.mark.parametrize("mode", list(ActionMode))
def test_all_modes_move_inside_the_limits_and_a_constant_goal_is_reached(
    way: str, aggregate: str, mode: ActionMode, made: Callable[[str, str], Bench]
) -> None:
    bench = made(way, aggregate)
    goal = Pose(bench.pose.position + np.array([0.0, 0.06, 0.0]), bench.pose.quaternion)
    for _ in range(8):
        away = (goal.position - bench.pose.position) / 4.0
        turned = bench.controller.config.home + 0.1
        value = {
            ActionMode.EE_DELTA: ActionStep(away),
            ActionMode.EE_POSE: ActionStep(pose=goal),
            ActionMode.JOINT_POSITION: ActionStep(joints=turned),
            ActionMode.JOINT_DELTA: ActionStep(joints=(turned - bench.q) / 4.0),
            ActionMode.JOINT_VELOCITY: ActionStep(joints=(turned - bench.q) / 0.8),
        }[mode]
        assert bench.send(*[value] * 4, mode=mode) is None
        bench.tick(4)
    bench.tick(40)
    assert bench.violations() == []
    place = bench.pose.position - goal.position if mode in (0, 1) else bench.q - turned
    assert np.abs(place).max() < (2e-3 if mode in (1, 2) else 0.05)


@pytest.mark.parametrize("way", JOININGS)
def test_the_gripper_and_the_end_are_the_newest_chunks(way: str, made: Callable[[str, str], Bench]) -> None:
    bench = made(way, "average")
    bench.send(*[ActionStep(gripper=1.0)] * 6)
    bench.tick(2)
    bench.send(ActionStep(gripper=0.0), ActionStep(gripper=0.0, terminate=True), ActionStep(gripper=1.0))
    seen = {bench.tick().gripper for _ in range(40)}
    assert seen <= {1.0, 0.0} or all(np.isnan(value) or value in (0.0, 1.0) for value in seen)
    assert bench.setpoints[-1].gripper == 0.0  # no opening between, and nothing after the step that terminates


def test_a_stop_forgets_what_was_predicted(made: Callable[[str, str], Bench]) -> None:
    bench = made("ensemble", "average")
    bench.send(*[ActionStep(np.array([0.0, 0.02, 0.0]))] * 5)
    bench.tick(4)
    bench.controller.set_instruction("b")
    bench.tick(20)
    start = bench.pose
    bench.send(*[ActionStep()] * 5, instruction_id="b")
    bench.tick(40)
    assert np.allclose(bench.pose.position, start.position, atol=1e-4)


def test_wrong_names_are_refused_with_the_valid_ones() -> None:
    with pytest.raises(SettingsError, match=r"joining is 'act'; valid: latest, weighted, ensemble"):
        ControllerSettings(joining="act")
    with pytest.raises(SettingsError, match=r"valid: weighted_average, latest_only, average, conservative"):
        ControllerSettings(joining_aggregate="mean")


@pytest.fixture(scope="module")
def made() -> Callable[[str, str], Bench]:
    """Benches by way of joining, on one set of models."""
    config, controllers = load_robot_config("fr3"), dict[tuple[str, str], ArmController]()

    def make(way: str, aggregate: str) -> Bench:
        chosen = ControllerSettings(joining=way, joining_aggregate=aggregate)
        if (way, aggregate) not in controllers:
            controllers[way, aggregate] = ArmController(config, 0.05, chosen)
        return Bench(controllers[way, aggregate], 0.05)

    return make
