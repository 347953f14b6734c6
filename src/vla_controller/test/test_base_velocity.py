# SPDX-License-Identifier: Apache-2.0
"""A mobile base gets the chunks' velocities when they are due, inside its limits, and stands when they end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from vla_controller.arm_controller import ArmController
from vla_controller.bench import Bench
from vla_controller.chunk import Refusal, Step
from vla_controller.robot_config import BaseConfig, RobotConfigError, load_robot_config

DT = 0.05
TOP, PUSH, JERK = np.array([0.5, 0.3, 1.0]), np.array([1.0, 1.0, 2.0]), np.array([10.0, 10.0, 20.0])


@pytest.fixture(scope="module")
def controller() -> ArmController:
    config = replace(load_robot_config("fr3"), base=BaseConfig(TOP, PUSH, JERK, "/cmd_vel"))
    return ArmController(config, DT)


def velocities(bench: Bench) -> np.ndarray:
    return np.array([setpoint.base for setpoint in bench.setpoints])


def test_a_velocity_holds_from_when_it_is_due_for_one_period_then_the_base_stops(controller: ArmController) -> None:
    bench = Bench(controller, DT)
    due = bench.now + controller.settings.latency_budget
    assert bench.send(Step(base=np.array([0.2, -0.1, 0.5])), Step(base=np.array([0.2, -0.1, 0.5]))) is None
    bench.tick(40)
    rows, times = velocities(bench), np.array([setpoint.stamp for setpoint in bench.setpoints])
    assert not rows[times < due - 1e-6].any()
    assert np.allclose(rows[(times > due + 0.35) & (times < due + 0.399)], [0.2, -0.1, 0.5])
    assert not rows[times > due + 0.4 + 0.5].any()
    assert bench.controller.at_rest


def test_limits_hold_for_wild_velocities_and_cuts_are_counted(controller: ArmController) -> None:
    bench, rng = Bench(controller, DT), np.random.default_rng(2)
    for _ in range(40):
        bench.send(*[Step(base=rng.normal(size=3) * 3.0) for _ in range(3)], period=0.1)
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
    bench.send(*[Step(base=np.array([0.5, 0.0, 0.0]))] * 10)
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
    assert fr3.send(Step(np.array([0.01, 0.0, 0.0]), base=np.array([0.1, 0.0, 0.0]))) is None
    assert fr3.tick(10).base is None
    assert fr3.controller.log.count("no_mobile_base") == 1
    assert not np.array_equal(fr3.q, fr3.controller.config.home)


def test_a_base_velocity_that_is_no_number_refuses_the_chunk(fr3: Bench) -> None:
    refusal = fr3.send(Step(base=np.array([0.0, np.nan, 0.0])))
    assert isinstance(refusal, Refusal)
    assert refusal.name == "non_finite"


def test_a_base_is_read_from_the_description(tmp_path: Path) -> None:
    source = Path(__file__).parents[3] / "config" / "robots" / "fr3.yaml"
    section = "base: {velocity: [1, 0, 1], acceleration: [1, 1, 1], jerk: [9, 9, 9], command_topic: /cmd_vel}\n"
    path = tmp_path / "mobile.yaml"
    path.write_text(source.read_text(encoding="utf-8") + section, encoding="utf-8")
    base = load_robot_config(str(path)).base
    assert base is not None
    assert base.velocity.tolist() == [1.0, 0.0, 1.0]
    path.write_text(source.read_text(encoding="utf-8") + section.replace("[9, 9, 9]", "[9, 0, 9]"), encoding="utf-8")
    with pytest.raises(RobotConfigError, match="jerk > 0"):
        load_robot_config(str(path))
