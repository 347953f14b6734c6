# SPDX-License-Identifier: Apache-2.0
"""Policies by name, and the weight of importing this package."""

import subprocess
import sys
from dataclasses import fields
from importlib.metadata import EntryPoint

import pytest
from vla_policy.errors import CheckpointError, ConfigurationError
from vla_policy.policy import PolicyConfig
from vla_policy.settings import Settings

from vla_policy import registry


def test_an_unknown_name_is_refused_with_the_list() -> None:
    with pytest.raises(ConfigurationError, match=r"'telepathy' is unknown; valid are .*replay"):
        registry.create("telepathy", PolicyConfig())


def test_the_refusal_of_a_factory_comes_through() -> None:
    with pytest.raises(CheckpointError, match="needs a recording"):
        registry.create("replay", PolicyConfig())


@pytest.mark.parametrize(
    ("value", "words"),
    [("no_such_module:create", "no_such_module"), ("math:create", "create"), ("builtins:id", "made a int")],
)
def test_a_broken_plug_in_is_a_clear_error(monkeypatch: pytest.MonkeyPatch, value: str, words: str) -> None:
    monkeypatch.setattr(registry, "available", lambda: {"odd": EntryPoint("odd", value, registry.GROUP)})
    with pytest.raises(ConfigurationError, match=words):
        registry.create("odd", PolicyConfig())


def test_neither_torch_nor_ros_is_imported_for_a_policy_that_does_not_need_them() -> None:
    code = (
        "import sys, vla_policy.registry, vla_policy.replay.policy, vla_policy.run.runner, vla_policy.run.worker,"
        " vla_policy.action.tokenizer, vla_policy.action.presets, vla_policy.action.steps,"
        " vla_policy.loading\n"
        "try: vla_policy.registry.create('replay', vla_policy.policy.PolicyConfig())\n"
        "except vla_policy.errors.CheckpointError: pass\n"
        "sys.exit(', '.join(sorted({'torch', 'transformers', 'rclpy'} & set(sys.modules))) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_settings_say_what_they_are_and_refuse_numbers_out_of_range() -> None:
    assert all(item.metadata["description"] for item in fields(Settings))
    with pytest.raises(ValueError, match=r"rate is 0.0; valid: .* from 0.1 to 50"):
        Settings(rate=0.0)
    with pytest.raises(ValueError, match="decode is 'maybe'; valid: auto, greedy, median, sample, beam"):
        Settings(decode="maybe")
