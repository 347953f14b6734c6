# SPDX-License-Identifier: Apache-2.0
"""The elbow does not swing for millimetres of the tool where joint 4 is at its limit."""

from __future__ import annotations

import numpy as np
import pytest
from vla_controller.arm.kinematics import Kinematics
from vla_controller.bench.swings import measure_swings
from vla_core.robot import load_robot_config


def test_joints_are_slow_while_the_tool_is(monkeypatch: pytest.MonkeyPatch) -> None:
    config = load_robot_config("fr3")
    kinematics = Kinematics(config)
    now = measure_swings(config, kinematics)
    assert now["speed_while_slow_max"] < 0.6
    assert now["joint_path_max"] < 16.0
    monkeypatch.setattr(Kinematics, "_swing_cost", lambda self, q, jacobian: np.zeros((7, 7)))
    before = measure_swings(config, kinematics)  # the elbow swung by more than a radian
    assert before["speed_while_slow_max"] > 3.0 * now["speed_while_slow_max"]
    assert before["joint_path_max"] > 2.0 * now["joint_path_max"]
    assert now["tracking_rms_mean"] <= before["tracking_rms_mean"]
