# SPDX-License-Identifier: Apache-2.0
"""Every command is one that any joint_trajectory_controller takes, and its splines stay inside the arm's limits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from vla_controller.bench.interpolation import AFTER, arrivals, commands, interpolate, own_limits, peaks
from vla_controller.bench.joint_trajectory_controller import Receiver, play, refusal
from vla_controller.bench.losses import measure_losses
from vla_controller.bench.recording import load_recording
from vla_controller.bench.rig import Bench
from vla_controller.bench.seams import record
from vla_controller.bench.streams import STREAMS, run_stream, start_pose
from vla_controller.motion.stream import LEAD, Command, CommandStream
from vla_controller.trajectory.goal import TrajectoryGoal
from vla_core.action import ActionStep

DT = 0.05
RECEIVERS = [Receiver(spline, desired) for spline in ("quintic", "cubic") for desired in (True, False)]


def stream_of(bench: Bench, kind: str, index: int) -> Bench:
    rng = np.random.default_rng([11, index])
    controller = bench.controller
    made = Bench(controller, DT, start=start_pose(controller.config, controller.kinematics.clearance, rng))
    run_stream(made, rng, kind, 1.0)
    return made


def check(bench: Bench) -> None:
    """Taken by a controller with default parameters, ends at rest inside the limits, and stays inside the arm's."""
    config, rng = bench.controller.config, np.random.default_rng(0)
    for timed in (True, False):
        came = arrivals(bench.setpoints, commands(bench.setpoints, config, DT, timed), rng)
        for time, command in came:
            assert refusal(command, len(config.joints), time) == ""
            motion = command.motion
            assert not np.any(motion.qd[-1])
            assert not np.any(motion.qdd[-1])
            assert np.all(np.diff(motion.times) > 1e-4)
            assert motion.times[-1] < 1.5
            within = motion.part(slice(command.fresh, None))
            assert np.all(within.q >= np.minimum(config.limits.lower, bench.setpoints[0].q) - 1e-6)
            assert np.all(within.q <= np.maximum(config.limits.upper, bench.setpoints[0].q) + 1e-6)
    came = arrivals(bench.setpoints, commands(bench.setpoints, config, DT), rng)
    for receiver in RECEIVERS:
        found = peaks(play(came, bench.setpoints[0].q, came[-1][0] + AFTER, receiver), own_limits(config))
        assert max(found.velocity, found.acceleration, found.jerk) <= 1.01, receiver


@pytest.mark.parametrize("robot", ["fr3", "panda", "wx250s"])
@pytest.mark.parametrize("kind", [kind for kind in STREAMS if kind not in ("clock",)])
def test_hostile_streams(make_bench: Callable[[str], Bench], robot: str, kind: str) -> None:
    for index in range(3):
        check(stream_of(make_bench(robot), kind, index))


def test_the_recorded_run(fr3: Bench) -> None:
    check(record(fr3.controller, DT, load_recording().runs[0], 8.0))


def test_stop_emergency_stop_and_home(fr3: Bench) -> None:
    controller = fr3.controller
    for act in (
        lambda: controller.set_instruction("a", stop=True),
        controller.estop,
        lambda: controller.go_home(fr3.now),
        lambda: controller.halt("shutting down"),
    ):
        controller.reset_estop()
        controller.set_instruction("between")
        controller.set_instruction("a")
        fr3.send(ActionStep(np.array([0.05, 0.05, 0.0])))
        fr3.tick(7)
        assert np.any(fr3.setpoints[-1].qd)
        act()
        fr3.tick(30)
    check(fr3)


def test_a_planned_trajectory_and_its_cancellation(fr3: Bench) -> None:
    config, still = fr3.controller.config, (np.zeros(7), np.zeros(7))
    places = (config.home + 0.15, config.home - 0.1)
    goal = TrajectoryGoal(0.0, config.joints, np.array([1.0, 2.0]), places, still, (np.zeros(0), np.zeros(0)))
    fr3.controller.start_trajectory(goal, fr3.now)
    fr3.tick(32)
    fr3.controller.trajectories.cancel()
    fr3.tick(25)
    assert np.ptp([row.q[0] for row in fr3.setpoints]) > 0.1
    check(fr3)


def test_nothing_after_a_command_ends_at_rest(fr3: Bench) -> None:
    """A killed controller, a lost connection: at any moment."""
    config = fr3.controller.config
    fr3.send(ActionStep(np.array([0.05, 0.05, 0.0])), period=0.5)
    fr3.tick(20)
    for last in range(3, 20):
        rows = fr3.setpoints[:last]
        came = arrivals(rows, commands(rows, config, DT), np.random.default_rng(0))
        for receiver in RECEIVERS:
            path = play(came, rows[0].q, came[-1][0] + 0.6, receiver)
            assert np.array_equal(path[-1], path[-2])
            found = peaks(path, own_limits(config))
            assert max(found.velocity, found.acceleration, found.jerk) <= 1.01


@pytest.mark.parametrize("delay", [0.01, 0.04, 0.08, 0.3, 2.0])
def test_a_late_tick_goes_on_from_the_stop(fr3: Bench, delay: float) -> None:
    config, stream = fr3.controller.config, CommandStream(fr3.controller.config.limits, DT)
    fr3.send(ActionStep(np.array([0.06, 0.0, 0.0])), ActionStep(np.array([0.06, 0.0, 0.0])), period=0.5)
    came: list[tuple[float, Command]] = []
    for k in range(60):
        if k in (8, 11):
            assert k == 11 or np.any(fr3.setpoints[-1].qd)
            fr3.now += delay
        late = stream.late(fr3.now)
        assert (late > 0.0) <= (delay > LEAD - 0.01)
        if late > 0.0:
            fr3.controller.coast(late)
        row = fr3.tick()
        came.append((row.stamp + 0.002, stream.command(row, row.stamp, late)))
        assert refusal(came[-1][1], 7, came[-1][0]) == ""
    for receiver in RECEIVERS:
        found = peaks(play(came, fr3.setpoints[0].q, fr3.now + AFTER, receiver), own_limits(config))
        assert max(found.velocity, found.acceleration, found.jerk) <= 1.01


@pytest.mark.parametrize("name", ["one lost", "40 ms late", "clock 25 ms ahead", "clock 30 ms behind"])
def test_a_lead_of_a_tick_more_makes_a_disturbance_good(name: str) -> None:
    """With the usual lead a command that is lost or late makes the arm step; with a tick more it stays on its curve."""
    recording = load_recording()
    short = type(recording)(recording.robot, recording.source, recording.note, recording.runs[:1])
    found = measure_losses(short, DT)
    rows = {lead: found[f"{name}, lead {lead} ms"] for lead in (20, 70)}
    shares = {lead: max(row["velocity"], row["acceleration"], row["jerk"]) for lead, row in rows.items()}
    assert shares[70] <= 1.0
    assert shares[20] > 10.0 or "behind" in name


def test_a_setpoint_that_begins_anew_elsewhere_is_reached_inside_the_limits(fr3: Bench) -> None:
    """An arm that is where it was promised to be, while the setpoint begins where it was seen.

    Judged every 20 ms: a joint_trajectory_controller that joins a trajectory makes the first step twice as large.
    """
    config, stream = fr3.controller.config, CommandStream(fr3.controller.config.limits, DT)
    came, other = [], Bench(fr3.controller, DT, start=fr3.q + 0.3)
    rows = [*fr3.setpoints * 4, *[other.tick() for _ in range(30)]]
    for k, row in enumerate(rows):
        came.append((k * DT + 0.002, stream.command(row, k * DT)))
    for receiver in (Receiver("quintic", True), Receiver("cubic", True)):
        path = play(came, fr3.setpoints[0].q, len(rows) * DT + AFTER, receiver)
        assert np.all(np.abs(np.diff(path[::20], axis=0)) <= 0.02 * config.limits.velocity)
        assert np.all(np.abs(np.diff(path[::20], 2, axis=0)) <= 0.02**2 * 1.5 * own_limits(config).acceleration)
        assert np.allclose(path[-1], other.q)


def test_a_wrong_command_is_refused(fr3: Bench) -> None:
    fr3.send(ActionStep(np.array([0.05, 0.0, 0.0])))
    fr3.tick(6)
    command = commands(fr3.setpoints, fr3.controller.config, DT)[-1]
    motion = command.motion
    assert refusal(command, 7, command.start) == ""
    assert "joint_names" in refusal(command, 6, command.start)
    assert "past" in refusal(command, 7, command.start + 10.0)
    assert "velocity" in refusal(replace(command, motion=motion.part(slice(0, command.fresh + 1))), 7, command.start)
    assert "increasing" in refusal(replace(command, motion=motion.then(motion)), 7, command.start)


def test_the_benchmark_tells_shares_of_the_arms_limits() -> None:
    recording = load_recording()
    short = type(recording)(recording.robot, recording.source, recording.note, recording.runs[:1])
    report = interpolate(short, ["fr3"], 20.0, 1)
    assert report["refused"] == 0
    for sort in ("recorded", "hostile"):
        rows = report[f"fr3 {sort}"]
        assert max(rows["one clock, quintic, from measured"].values()) <= 1.0
        assert rows["two clocks, quintic, from measured"]["acceleration"] > 1.0  # why stamps are sent
