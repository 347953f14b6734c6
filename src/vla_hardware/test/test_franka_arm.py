# SPDX-License-Identifier: Apache-2.0
"""A Franka whose network is cut, with a stand-in for franky: named, and connected again by the recovery."""

from types import SimpleNamespace

import numpy as np
import pytest
from vla_core.robot import load_robot_config
from vla_hardware.franka import arm as module
from vla_hardware.franka.errors import ArmError, ArmFault

ROBOT = load_robot_config("fr3")


class Network:
    """Whether the arm can be reached; raises what libfranka raises."""

    class NetworkException(Exception):
        pass

    def __init__(self) -> None:
        self.is_cut, self.connections = False, 0

    def check(self) -> None:
        if self.is_cut:
            raise self.NetworkException("libfranka: connection lost")


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    network = Network()

    class Robot:
        model_urdf = '<robot name="fr3">'

        def __init__(self, address: str, realtime_config: object) -> None:
            network.check()
            network.connections += 1

        @property
        def state(self) -> SimpleNamespace:
            network.check()
            clock = SimpleNamespace(to_sec=lambda: 1.0)
            errors = SimpleNamespace()
            rows = dict.fromkeys(("q", "dq", "tau_J"), np.zeros(7))
            return SimpleNamespace(
                **rows, time=clock, robot_mode="RobotMode.Idle", current_errors=errors, control_command_success_rate=1.0
            )

        def recover_from_errors(self) -> bool:
            network.check()
            return True

        def poll_motion(self) -> None:
            network.check()

    franky = SimpleNamespace(
        Robot=Robot,
        Exception=Network.NetworkException,
        NetworkException=Network.NetworkException,
        IncompatibleVersionException=type("IncompatibleVersionException", (Exception,), {}),
        RealtimeConfig=SimpleNamespace(Enforce=0, Ignore=1),
    )
    monkeypatch.setattr(module, "load_franky", lambda: franky)
    monkeypatch.setattr(module, "wait_for", lambda address, wait: None)
    return network


def test_a_recovery_without_network_leaves_a_fault_and_the_next_connects_again(network: Network) -> None:
    arm = module.FrankaArm(ROBOT, module.ArmOptions("127.0.0.1", read_only=True))
    network.is_cut = True
    with pytest.raises(ArmFault, match="connection lost"):
        arm.read()
    for _ in range(2):
        with pytest.raises(ArmError, match="cannot connect"):
            arm.recover()
        with pytest.raises(ArmFault, match=r"no connection to 127\.0\.0\.1"):
            arm.read()
    network.is_cut = False
    arm.recover()
    assert network.connections == 2
    assert arm.read().mode == "Idle"
