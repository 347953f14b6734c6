# SPDX-License-Identifier: Apache-2.0
"""A mobile base gets the chunks' velocities when they are due, inside its limits, and stands when they end."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from vla_controller.arm_controller import ArmController
from vla_controller.bench.rig import Bench
from vla_controller.refusals import Refusal
from vla_core.action import ActionStep
from vla_core.robot import BaseConfig, RobotConfigError, load_robot_config

CONFIG = load_robot_config("fr3")
DT = 0.05
TOP, PUSH, JERK = np.array([0.5, 0.3, 1.0]), np.array([1.0, 1.0, 2.0]), np.array([10.0, 10.0, 20.0])


@pytest.fixture(scope="module")
def controller() -> ArmController:
    config = replace(CONFIG, base=BaseConfig(TOP, PUSH, JERK, "/cmd_vel"))
    return ArmController(config, DT)


def velocities(bench: Bench) -> np.ndarray:
    return np.array([setpoint.base for setpoint in bench.setpoints])


def test_a_velocity_holds_from_when_it_is_due_for_one_period_then_the_base_stops(controller: ArmController) -> None:
    bench = Bench(controller, DT)
    due = bench.now + controller.settings.latency_budget
    assert bench.send(ActionStep(base=np.array([0.2, -0.1, 0.5])), ActionStep(base=np.array([0.2, -0.1, 0.5]))) is None
    bench.tick(40)
    rows, times = velocities(bench), np.array([setpoint.stamp for setpoint in bench.setpoints])
    assert not rows[times < due - 1e-6].any()
    assert np.allclose(rows[(times > due + 0.35) & (times < due + 0.399)], [0.2, -0.1, 0.5])
    assert not rows[times > due + 0.4 + 0.5].any()
    assert bench.controller.at_rest


def test_limits_hold_for_wild_velocities_and_cuts_are_counted(controller: ArmController) -> None:
    bench, rng = Bench(controller, DT), np.random.default_rng(2)
    for _ in range(40):
        bench.send(*[ActionStep(base=rng.normal(size=3) * 3.0) for _ in range(3)], period=0.1)
        bench.tick(2)
    bench.tick(20)
    rows = velocities(bench)
    assert np.all(np.abs(rows) <= TOP + 1e-6)
    assert np.all(np.abs(np.diff(rows, axis=0)) / DT <= PUSH + 1e-6)
    assert np.all(np.abs(np.diff(rows, 2, axis=0)) / DT**2 <= JERK + 1e-6)
    assert controller.log.count("base_limit_clamped") > 0
    assert not rows[-1].any()


@pytest.mark.parametrize("how", ["stop", "estop", "new"])
def test_a_halt_stops_the_base_from_the_next_tick_on(how: str, controller: ArmController) -> None:
    bench = Bench(controller, DT)
    bench.send(*[ActionStep(base=np.array([0.5, 0.0, 0.0]))] * 10)
    bench.tick(20)
    before = velocities(bench)[-1, 0]
    assert before > 0.4
    assert not controller.at_rest
    if how == "estop":
        controller.estop()
        refusal = controller.reset_estop()
        assert refusal is not None
        assert refusal.name == "estop_moving"
    else:
        controller.set_instruction("b", stop=how == "stop")
    after = bench.tick(1).base
    assert after is not None
    assert after[0] < before
    bench.tick(14)
    assert not velocities(bench)[-1].any()
    assert controller.at_rest


def test_without_a_base_its_velocity_is_ignored_and_counted(fr3: Bench) -> None:
    assert fr3.send(ActionStep(np.array([0.01, 0.0, 0.0]), base=np.array([0.1, 0.0, 0.0]))) is None
    assert fr3.tick(10).base is None
    assert fr3.controller.log.count("no_mobile_base") == 1
    assert not np.array_equal(fr3.q, fr3.controller.config.home)


def test_a_base_velocity_that_is_no_number_refuses_the_chunk(fr3: Bench) -> None:
    refusal = fr3.send(ActionStep(base=np.array([0.0, np.nan, 0.0])))
    assert isinstance(refusal, Refusal)
    assert refusal.name == "non_finite"


SOURCE = Path(__file__).parents[3] / "config" / "robots" / "fr3.yaml"
SECTION = "base: {velocity: [1, 0, 1], acceleration: [1, 1, 1], jerk: [9, 9, 9], command_topic: /cmd_vel}\n"


def test_a_base_is_read_from_the_description(tmp_path: Path) -> None:
    path = tmp_path / "mobile.yaml"
    path.write_text(SOURCE.read_text(encoding="utf-8") + SECTION, encoding="utf-8")
    base = load_robot_config(str(path)).base
    assert base is not None
    assert base.velocity.tolist() == [1.0, 0.0, 1.0]
    path.write_text(SOURCE.read_text(encoding="utf-8") + SECTION.replace("[9, 9, 9]", "[9, 0, 9]"), encoding="utf-8")
    with pytest.raises(RobotConfigError, match="jerk > 0"):
        load_robot_config(str(path))


@pytest.mark.node
def test_twists_over_dds_follow_the_chunk_inside_the_limits_and_end_at_zero(
    arm, start: Callable, tmp_path: Path
) -> None:
    from geometry_msgs.msg import Twist

    path = tmp_path / "mobile.yaml"
    path.write_text(SOURCE.read_text(encoding="utf-8") + SECTION, encoding="utf-8")
    rows: list[tuple[float, float, float]] = []
    arm.node.create_subscription(
        Twist, "/cmd_vel", lambda msg: rows.append((msg.linear.x, msg.linear.y, msg.angular.z)), 500
    )
    node = start(f"robot_config:={path}")
    arm.wait(lambda: len(rows) > 3)
    assert not np.any(rows)
    for name, halt in (("a", lambda: arm.instruct("s", stop=True)), ("b", node.process.terminate)):
        arm.instruct(name)
        arm.chunk(*[(0.0, 0.0, 0.0)] * 10, instruction=name, base=(0.4, 0.3, -0.5))
        arm.wait(lambda: np.allclose(rows[-1], (0.4, 0.0, -0.5)))  # this base cannot go sideways
        halt()
        arm.wait(lambda: not np.any(rows[-1]), 2.0)
    assert node.process.wait(5.0) == 0, node.output
    time.sleep(0.2)
    assert not np.any(rows[-1])
    changes = np.abs(np.diff(rows, axis=0))
    assert np.median(changes[changes > 1e-6]) <= 1.0 * DT * 1.01  # at most a tick's worth of acceleration
    assert changes.max() < 0.2  # a busy machine loses a few
    assert all(np.allclose(command.points[-1].positions, CONFIG.home, atol=1e-6) for command in arm.commands)
