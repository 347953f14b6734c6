# SPDX-License-Identifier: Apache-2.0
"""Robot models are read from packages that are never imported: what the packages' own code needs is not installed."""

import subprocess
import sys

import pytest

WITHOUT_THEIR_CODE = """
import sys

class NoCode:
    def find_spec(self, name, path=None, target=None):
        if name == "pinocchio":
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, NoCode())
from vla_sim.world.robots import get_robot
get_robot(sys.argv[1]).load()
assert not {"franky_sim", "rtbdata"} & set(sys.modules), "imported"
"""


@pytest.mark.parametrize("robot", ["fr3", "wx250s"])
def test_models_load_without_the_code_of_their_packages(robot: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_THEIR_CODE, robot], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
