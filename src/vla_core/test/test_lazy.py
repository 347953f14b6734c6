# SPDX-License-Identifier: Apache-2.0
"""Every package names its public API, and each name is there."""

import importlib

import pytest

PACKAGES = ("vla_controller", "vla_core", "vla_operator", "vla_perception", "vla_policy", "vla_sim", "vla_training")


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_resolves(package: str) -> None:
    pytest.importorskip(package)
    module = importlib.import_module(package)
    assert module.__all__ == sorted(module.__all__)
    for name in module.__all__:
        assert getattr(module, name) is not None


def test_another_name_is_refused() -> None:
    policy = pytest.importorskip("vla_policy")
    with pytest.raises(AttributeError, match="'vla_policy' has no attribute 'Robot'"):
        _ = policy.Robot
