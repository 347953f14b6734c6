# SPDX-License-Identifier: Apache-2.0
"""Part faults of `vla bench remote` in small: each fault once."""

from __future__ import annotations

from types import SimpleNamespace

from vla_training.bench.remote import faults
from vla_training.bench.remote.hostile import FAULTS


def test_every_fault_leaves_the_arm_at_rest_within_its_limits_and_the_server_is_found_again() -> None:
    found = faults.measure(SimpleNamespace(robot="fr3", seed=3, faults=len(FAULTS)))["faults"]
    assert (found["runs"], found["recovered"]) == (len(FAULTS), len(FAULTS))
    assert (found["violations"], found["stale_actions"]) == (0, 0), found["examples"]
    assert set(found["longest_to_rest_s_by_fault"]) == set(FAULTS)
    assert 0.0 < found["longest_to_rest_s"] <= 0.5
