# SPDX-License-Identifier: Apache-2.0
"""Shared by the controller's tests: robots, and a bench for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from vla_controller.arm_controller import ArmController
from vla_controller.bench import Bench
from vla_controller.robot_config import RobotConfig, load_robot_config

DT = 0.05


@pytest.fixture(scope="session")
def make_bench() -> Iterator[Callable[[str], Bench]]:
    """A fresh bench by robot name; the kinematic models are made once."""
    controllers = {name: ArmController(load_robot_config(name), DT) for name in ("fr3", "panda", "wx250s")}
    yield lambda robot: Bench(controllers[robot], DT)
    controllers.clear()


@pytest.fixture(params=["fr3", "panda", "wx250s"])
def bench(request: pytest.FixtureRequest, make_bench: Callable[[str], Bench]) -> Bench:
    return make_bench(request.param)


@pytest.fixture
def fr3(make_bench: Callable[[str], Bench]) -> Bench:
    return make_bench("fr3")


@pytest.fixture(params=["fr3", "panda", "wx250s"])
def config(request: pytest.FixtureRequest) -> RobotConfig:
    return load_robot_config(request.param)
