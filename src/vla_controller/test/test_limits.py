# SPDX-License-Identifier: Apache-2.0
"""Whatever the chunks, the setpoints stay inside every limit at the rate at which they are sent."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from vla_controller.bench.rig import Bench
from vla_controller.motion.limiter import SetpointLimiter, parts_of
from vla_controller.motion.motion import JointState, Motion
from vla_core.action import ActionMode, ActionStep
from vla_core.robot import load_robot_config
from vla_core.rotation import Pose, from_rotation_vector

QUICK = settings(
    max_examples=int(os.environ.get("VLA_STREAMS", "25")), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
EPS = 1e-6


def small(size: float) -> st.SearchStrategy[np.ndarray]:
    return st.lists(st.floats(-size, size), min_size=3, max_size=3).map(np.array)


def step_for(mode: int, joints: int) -> st.SearchStrategy[ActionStep]:
    rows = st.lists(st.floats(-1.0, 1.0), min_size=joints, max_size=joints).map(np.array)
    gripper = st.sampled_from([float("nan"), 0.0, 1.0])
    poses = st.builds(Pose, small(0.7), small(3.0).map(from_rotation_vector))
    return st.builds(ActionStep, small(0.12), small(0.8), poses, rows, gripper)


@st.composite
def streams(draw: st.DrawFn, joints: int) -> list[tuple[int, dict[str, object]]]:
    """Ticks to wait, then a chunk: modes mixed, ages and periods wild, some of it refused."""
    stream = []
    for _ in range(draw(st.integers(1, 7))):
        mode = draw(st.sampled_from(list(ActionMode)))
        changes = {
            "steps": tuple(draw(st.lists(step_for(mode, joints), min_size=1, max_size=4))),
            "mode": mode,
            "period": draw(st.sampled_from([0.001, 0.05, 0.2, 0.5])),
            "delta_reference": draw(st.integers(0, 1)),
            "age": draw(st.floats(0.0, 0.7)),
        }
        stream.append((draw(st.integers(0, 8)), changes))
    return stream


@pytest.mark.parametrize(("robot", "joints"), [("fr3", 7), ("wx250s", 6)])
def test_no_stream_of_chunks_leaves_the_limits(robot: str, joints: int, make_bench: Callable[[str], Bench]) -> None:
    @QUICK
    @given(streams(joints))
    def run(stream: list[tuple[int, dict[str, object]]]) -> None:
        bench = make_bench(robot)
        for wait, changes in stream:
            bench.tick(wait)
            changes = dict(changes)
            bench.send(stamp=bench.now - float(str(changes.pop("age"))), **changes)
        bench.tick(25)
        assert bench.violations() == []

    run()


@pytest.mark.parametrize("robot", ["fr3", "wx250s"])
@pytest.mark.parametrize("rate", [20.0, 100.0])
def test_the_limiter_alone_survives_any_wish_and_goal(robot: str, rate: float) -> None:
    limits = load_robot_config(robot).limits
    rng = np.random.default_rng(3)
    limiter = SetpointLimiter(limits, 1.0 / rate)
    state = limiter.start(0.5 * (limits.lower + limits.upper))
    for _ in range(400):
        goal = rng.uniform(limits.lower - 1.0, limits.upper + 1.0)
        times = parts_of(1.0 / rate)
        noise = [rng.normal(size=(len(times), len(goal))) * scale for scale in (0.02, 0.5, 5.0)]
        wish = Motion(times, state.q + noise[0], state.qd + noise[1], state.qdd + noise[2])
        way = limiter.track(state, wish, goal)
        after = way.end
        assert np.all(np.abs(way.qd) <= limits.velocity)
        assert np.all(np.abs(way.qdd) <= limits.acceleration)
        assert np.all(after.q >= limits.lower - EPS)
        assert np.all(after.q <= limits.upper + EPS)
        assert np.all(np.abs(after.qd) <= limits.velocity)
        assert np.all(np.abs(after.qdd) <= limits.acceleration)
        assert np.all(np.abs(after.qdd - state.qdd) * rate <= limits.jerk)
        state = after


def test_a_stop_is_foreseen_exactly() -> None:
    limits = load_robot_config("fr3").limits
    limiter = SetpointLimiter(limits, 0.001)
    rng = np.random.default_rng(5)
    for _ in range(20):
        q, qd, qdd = (rng.uniform(-0.9, 0.9, 7) * top for top in (np.ones(7), limits.velocity, limits.acceleration))
        state = JointState(q - 2.0, qd * rng.integers(0, 2) * 0.1, qdd)
        low, high = limiter._stopping_range(state)
        path = [state.q]
        while not state.at_rest:
            state = limiter.brake(state).end
            path.append(state.q)
        assert np.allclose(np.min(path, axis=0), low, atol=1e-5)
        assert np.allclose(np.max(path, axis=0), high, atol=1e-5)


def test_a_wish_full_speed_into_a_joint_stop_ends_before_it() -> None:
    limits = load_robot_config("fr3").limits
    limiter = SetpointLimiter(limits, 0.05)
    state = limiter.start(0.5 * (limits.lower + limits.upper))
    for _ in range(200):
        fast = JointState(state.q + 0.05 * state.qd, np.minimum(state.qd + 0.2, 0.99 * limits.velocity), state.qdd)
        wish = Motion.standing(state, parts_of(0.05)).ending(fast)
        state = limiter.track(state, wish, limits.upper + 1.0).end
    assert np.all(state.q <= limits.upper + EPS)
    assert np.allclose(state.q, limits.upper, atol=5e-3)
    assert np.max(np.abs(state.qd)) < 1e-6


def test_an_arm_found_outside_its_limits_is_not_thrown_back(fr3: Bench) -> None:
    fr3.controller.reset()
    fr3.q = start = fr3.controller.config.limits.upper + 0.04
    fr3.setpoints.clear()
    while not fr3.setpoints:
        fr3.sense()
        fr3.tick_without_joint_state()
    assert np.array_equal(fr3.tick(5).q, start)
