# SPDX-License-Identifier: Apache-2.0
"""Fixtures of vla_core.ros.testing, and franky-sim as a process."""

import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec

import pytest
from vla_core.ros.testing import bench, module_bench, start_node  # noqa: F401

WITHOUT_FRANKY = "franky-control or pin is not installed here: requirements/hardware.txt has wheels for x86_64 alone"


class FrankaSim:
    """franka_sim on a loopback address of this test run; `tell` gives it a command and waits until it is done."""

    def __init__(self, address: str) -> None:
        self.address = address
        command = [sys.executable, "-m", "vla_hardware.franka.standin", "--address", address]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        assert "ready" in self.process.stdout.readline()

    def tell(self, command: str) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{command}\n")
        self.process.stdin.flush()
        assert "done" in self.process.stdout.readline()


@pytest.fixture(scope="module")
def franka_sim() -> Iterator[FrankaSim]:
    if find_spec("franky") is None or find_spec("pinocchio") is None:
        pytest.skip(WITHOUT_FRANKY)
    sim = FrankaSim(free_address())
    yield sim
    sim.process.kill()
    sim.process.wait()


def free_address() -> str:
    """A loopback address on which nobody serves libfranka's ports."""
    import os
    import random
    import socket

    draw = random.Random(os.getpid())
    for _ in range(100):
        address = f"127.{draw.randint(16, 250)}.{draw.randint(1, 250)}.{draw.randint(1, 250)}"
        with socket.socket() as trial:
            try:
                trial.bind((address, 1337))
            except OSError:
                continue
            return address
    raise OSError("no free loopback address")
