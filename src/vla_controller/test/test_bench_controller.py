# SPDX-License-Identifier: Apache-2.0
"""The benchmark's own parts: ways of moving, what they are judged by, and the sum of many streams."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from vla_controller.arm.kinematics import Kinematics
from vla_controller.arm_controller import ArmController
from vla_controller.bench.command import compare_ways, main
from vla_controller.bench.joint_trajectory_controller import sample
from vla_controller.bench.recording import SHIPPED, Recording, Run, joint_targets, load_recording
from vla_controller.bench.seams import WAYS, judge, linear, this_controller, times_of, tool_path
from vla_controller.bench.sweep import SweepSettings, run_streams
from vla_controller.motion.motion import Motion
from vla_core.robot import load_robot_config


@pytest.fixture(scope="module")
def run() -> Run:
    whole = load_recording().runs[0]
    return Run(whole.start, whole.arrivals[:10], whole.chunks[:10])


@pytest.fixture(scope="module")
def controller() -> ArmController:
    return ArmController(load_robot_config("fr3"), 0.05)


def test_every_way_reaches_every_target_when_it_is_due(run: Run, controller: ArmController) -> None:
    targets = joint_targets(run, controller.config, controller.kinematics, 0.3)
    times = times_of(targets)
    due = np.searchsorted(times, targets.due + 1e-6)
    for way in WAYS.values():
        command = way(targets, run.start, times)
        assert np.allclose(command[due], targets.joints, atol=5e-3)
        assert np.array_equal(command[0], run.start)
    tool = tool_path(targets, controller.kinematics.fk(run.start).position, times)
    assert np.allclose(tool[due], targets.tool, atol=1e-3)


def test_the_quintic_passes_states_with_their_derivatives() -> None:
    times = np.arange(0.0, 1.0, 1e-3)
    knots = np.arange(21) * 0.05
    states = Motion(knots, *(np.sin(knots + 0.5 * np.pi * k)[:, None] for k in range(3)))
    for k, rows in enumerate(sample(states, times, "quintic")):
        assert np.allclose(rows[:, 0], np.sin(times + 0.5 * np.pi * k), atol=10.0 ** (k - 7))


def test_this_package_is_far_smoother_than_straight_lines_and_about_as_near(
    run: Run, controller: ArmController
) -> None:
    found, _ = compare_ways(Recording("fr3", "", "", (run,)), 20.0)
    assert found["ratios"]["peak_acceleration linear / this"] > 10.0
    assert found["ratios"]["tracking_rms this / linear"] < 1.5
    assert found["ways"]["this"]["peak_speed"] <= 1.0


def test_a_delay_is_told_apart_from_an_error(run: Run, controller: ArmController) -> None:
    kinematics, config = Kinematics(controller.config), controller.config
    targets = joint_targets(run, config, kinematics, 0.3)
    times = times_of(targets)
    command = linear(targets, run.start, times)
    late = np.vstack((np.repeat(command[:1], 50, axis=0), command[:-50]))
    path = np.array([kinematics.fk(q).position for q in command])
    figures = judge(command, late, path, kinematics, config.limits.velocity)
    assert figures.delay_ms == pytest.approx(50.0)
    assert figures.tracking_rms < 1e-9
    ours = this_controller(controller, 0.05, run, times)
    assert np.allclose(ours[-1], targets.joints[-1], atol=2e-3)


def test_a_sweep_sums_streams_that_depend_on_their_number_alone() -> None:
    settings = SweepSettings(16, 3, ("wx250s",), 20.0, 0.2)
    whole, first, second = run_streams(settings, 0, 16), run_streams(settings, 0, 5), run_streams(settings, 5, 11)
    first.add(second)
    assert first == whole
    assert sum(whole.streams.values()) == 16
    assert not whole.violations


def test_the_command_leaves_figures_and_a_picture(tmp_path: Path) -> None:
    recording = json.loads(files("vla_controller").joinpath(SHIPPED).read_text("utf-8"))
    recording["runs"] = [{"chunks": recording["runs"][0]["chunks"][:5]}]
    (tmp_path / "run.json").write_text(json.dumps(recording), encoding="utf-8")
    arguments = [
        "--streams",
        "8",
        "--interpolated",
        "1",
        "--workers",
        "1",
        "--seconds",
        "0.1",
        "--robots",
        "fr3",
        "--out",
        str(tmp_path),
    ]
    assert main([*arguments, "--ticks", "100", "--recording", str(tmp_path / "run.json")]) == 0
    report = json.loads((tmp_path / "controller.json").read_text())
    assert report["streams"]["violations"] == 0
    assert set(report["seams"]["ways"]) == {*WAYS, "this"}
    assert (tmp_path / "controller.png").stat().st_size > 10_000
