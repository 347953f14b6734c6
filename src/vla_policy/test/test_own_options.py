# SPDX-License-Identifier: Apache-2.0
"""Options of one policy: what a text says, of which type, and which names a policy has."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from types import ModuleType
from typing import Any

import pytest
from vla_policy.errors import ConfigurationError
from vla_policy.loading import load_policy
from vla_policy.own_options import parse_options
from vla_policy.policy import Policy, PolicyConfig
from vla_policy.remote.options import Options
from vla_policy.settings import Settings

from vla_policy import registry


class Made(Policy):
    """Keeps what its factory was given."""

    def __init__(self, config: PolicyConfig) -> None:
        self.given = dict(config.options)

    def reset(self, instruction: str) -> None:
        """Do nothing."""

    def infer(self, observation: Any) -> Any:
        """Do nothing."""


def install(monkeypatch: pytest.MonkeyPatch, schema: object) -> None:
    """Offer the policy `made` from a module with these OPTIONS."""
    module = ModuleType("made_policy")

    def create(config: PolicyConfig) -> Made:
        return Made(config)

    create.__module__ = module.__name__
    module.create = create  # type: ignore[attr-defined]
    if schema is not None:
        module.OPTIONS = schema  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    points = {"made": EntryPoint("made", "made_policy:create", registry.GROUP)}
    monkeypatch.setattr(registry, "available", lambda: points)


def made(monkeypatch: pytest.MonkeyPatch, schema: object, text: str) -> dict[str, Any]:
    install(monkeypatch, schema)
    policy = load_policy(Settings(policy="made", policy_options=text))
    assert isinstance(policy, Made)
    return policy.given


def test_values_get_the_types_of_the_declared_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    given = made(monkeypatch, Options, "reply_timeout=3 ca_file='my file.pem' server=ws://host:1?a=b")
    assert (given["reply_timeout"], given["ca_file"]) == (3.0, "my file.pem")
    assert given["server"] == "ws://host:1?a=b"


def test_a_policy_that_declares_none_gets_numbers_truth_and_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    given = made(monkeypatch, None, "speed=0.5 fast=true name=arm")
    assert (given["speed"], given["fast"], given["name"]) == (0.5, True, "arm")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("speed=1", "policy made has no option 'speed'; valid are server, token_file, .*reply_timeout"),
        ("reply_timeout=soon", "option reply_timeout of policy made is 'soon'; valid is a number"),
        ("reply_timeout", "'reply_timeout' is no name=value"),
        ("=1", "is no name=value"),
        ("server=a server=b", "is given twice"),
        ("server='a", "No closing quotation"),
    ],
)
def test_what_cannot_be_is_refused_with_the_valid_ones(monkeypatch: pytest.MonkeyPatch, text: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        made(monkeypatch, Options, text)


@pytest.mark.parametrize("policy", ["rt1", "replay", "expert"])
def test_policies_without_options_say_so(policy: str) -> None:
    with pytest.raises(ConfigurationError, match=f"policy {policy} has no option 'speed'; valid are none"):
        registry.create(policy, PolicyConfig(own_options=parse_options("speed=1")))


def test_every_shipped_policy_declares_its_options() -> None:
    for name in registry.available():
        with pytest.raises(ConfigurationError, match=f"policy {name} has no option 'no_such_option'; valid are"):
            registry.create(name, PolicyConfig(own_options={"no_such_option": "1"}))
