# SPDX-License-Identifier: Apache-2.0
"""`vla serve --engine ray` for real, where Ray is installed: a replica is killed, and the robot's task continues."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest
from vla_policy.serve.process import serving_process
from vla_policy.serve.testing import ask, client, inputs

pytest.importorskip("ray", reason="needs Ray (requirements/fleet.txt)")
pytestmark = [pytest.mark.timeout(280), pytest.mark.system]


def replicas() -> list[int]:
    """Processes of replicas on this machine."""
    titles = {int(path.parent.name): path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline")}
    return [number for number, title in titles.items() if title.startswith(b"ray::ServeReplica:vla")]


def test_a_killed_replica_loses_no_robot(tmp_path: Path) -> None:
    plan = tmp_path / "fleet.yaml"
    plan.write_text("num_replicas: 2\nhealth_check_period_s: 1.0\n")
    words = ("rt1", "--threads", "1")
    with serving_process(*words) as alone, client(int(alone.rsplit(":", 1)[1])) as connection:
        wanted = [ask(connection, inputs(value=value))["tokens"] for value in range(0, 200, 20)]
    fleet = ("--engine", "ray", "--fleet", str(plan))
    with serving_process(*words, *fleet) as address, client(int(address.rsplit(":", 1)[1])) as connection:
        for number, tokens in enumerate(wanted):
            if number == 6:
                assert len(replicas()) == 2
                for process in replicas():
                    os.kill(process, signal.SIGKILL)
            answer = ask(connection, inputs(value=20 * number))
            assert isinstance(answer, dict), answer
            np.testing.assert_array_equal(answer["tokens"], tokens)
    assert replicas() == []
